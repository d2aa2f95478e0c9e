"""A user's own prices, hosts, capacity and disclosures: laid over the shipped ones, mistakes named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rice_stream.errors import ReferenceDataError
from rice_stream.instants import us_from_iso
from rice_stream.quantities import ListPrice
from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference

NOW_US = us_from_iso("2026-11-29")
PRICES = "provider,model,usd_per_mtok_input,usd_per_mtok_output,source\n"
HOSTS = "provider,profile,hardware,hardware_source,pue_low,pue,pue_high,pue_source,regions,regions_source,source\n"
EVIDENCE = (
    "evidence_id,kind,models,provider,quantity,value,log_sd,unit,total_input_tokens,total_output_tokens,date,source\n"
)

Overlay = Callable[[dict[str, str]], Reference]


@pytest.fixture
def overlay(tmp_path: Path) -> Overlay:
    def load(files: dict[str, str]) -> Reference:
        for name, text in files.items():
            (tmp_path / name).write_text(text, "utf-8")
        return load_reference(tmp_path)

    return load


def test_a_price_of_ones_own_replaces_the_list_and_says_so(overlay: Overlay) -> None:
    loaded = overlay({"prices.csv": PRICES + "openai,gpt-4o,1.0,4.0,contract\nacme,acme-chat,2,8,contract\n"})
    own = loaded.resolve_price("openai", "gpt-4o", None, NOW_US)
    assert own is not None
    assert (own.usd_per_mtok, own.overlaid, own.source) == (ListPrice(1, 1, 4), True, "contract")
    new = loaded.resolve_price(None, "acme-chat", None, NOW_US)
    assert new is not None
    assert (new.rung, new.usd_per_mtok.output) == ("listed", 8)
    shipped = load_reference().resolve_price("openai", "gpt-4o", None, NOW_US)
    assert shipped is not None
    assert not shipped.overlaid


def test_a_price_with_a_date_leaves_the_one_before_in_force(overlay: Overlay) -> None:
    text = PRICES.replace("source", "valid_from,source") + "openai,gpt-4o,1,4,2027-01-01,contract\n"
    loaded = overlay({"prices.csv": text})
    found = [loaded.resolve_price("openai", "gpt-4o", None, us_from_iso(day)) for day in ("2026-12-31", "2027-01-01")]
    assert [factor.usd_per_mtok.output for factor in found if factor] == [10, 4]
    assert us_from_iso("2027-01-01") in loaded.boundaries_us


def test_architecture_of_ones_own_is_marked(overlay: Overlay) -> None:
    text = "model_id,owner,params_total_b,params_active_b,estimated,source\ngpt-4o,openai,200,50,true,a little bird\n"
    loaded = overlay({"models.csv": text})
    factor = loaded.resolve_model("openai", "gpt-4o-2024-08-06", None, NOW_US)
    assert (factor.params_active_b.mid, factor.overlaid) == (50 * 1.0, True)
    assert not load_reference().resolve_model("openai", "gpt-4o", None, NOW_US).overlaid


def test_a_host_of_ones_own_gives_profile_pue_and_places(overlay: Overlay) -> None:
    row = "acme_cloud,hosted_small,H200,us,1.05,1.1,1.2,meter,country:SE=3|country:NO=1,us,us\n"
    loaded = overlay(
        {
            "providers.csv": "provider,source\nacme_cloud,us\n",
            "hosts.csv": HOSTS + row,
        }
    )
    host = loaded.resolve_host("acme-cloud", None, NOW_US)
    assert host is not None
    assert (host.profile, host.hardware) == ("hosted_small", (("H200", 1.0),))
    pue = loaded.resolve_pue(None, "acme_cloud", NOW_US, hosted=True)
    assert (pue.pue, pue.rung, pue.source) == (1.1, "assumption", "ASSUMED host of acme_cloud: meter")
    region = loaded.resolve_region(None, "acme_cloud", "lifecycle", NOW_US)
    assert (region.region_id, region.rung) == ("country:SE", "vendor")
    assert 25 < region.rci_gco2e_per_kwh.mid < 36


def test_a_place_that_providers_csv_assumes_comes_before_the_shipped_shares(overlay: Overlay) -> None:
    loaded = overlay(
        {
            "providers.csv": "provider,owner,fleet,fleet_basis,region,source\nopenai,openai,azure,assumption,country:SE,us\n"
        }
    )
    assert loaded.resolve_region(None, "openai", "lifecycle", NOW_US).region_id == "country:SE"


def test_capacity_and_a_world_of_ones_own(overlay: Overlay) -> None:
    loaded = overlay({"capacity.csv": "region_id,twh_per_year,source\ncountry:SE,100000,us\n"})
    assert loaded.resolve_region(None, None, "lifecycle", NOW_US).rci_gco2e_per_kwh.mid == pytest.approx(35.3, abs=1)


def test_a_value_of_ones_own_for_the_world_is_taken_as_it_is(overlay: Overlay) -> None:
    text = "region_id,scope,signal,accounting,rci_gco2e_per_kwh,source\nworld,lifecycle,average,location,300,us\n"
    loaded = overlay({"rci.csv": text})
    assert loaded.resolve_region(None, None, "lifecycle", NOW_US).rci_gco2e_per_kwh.mid == 300
    assert loaded.resolve_region(None, "openai", "lifecycle", NOW_US).rci_gco2e_per_kwh.mid == pytest.approx(384, abs=3)


def test_a_providers_disclosure_moves_the_models_that_it_names(overlay: Overlay) -> None:
    row = "mine:1,disclosure,gpt-4o|gpt-4o-mini,openai,facility_energy,0.3,0.2,Wh,500,300,2026-10-01,letter of the vendor\n"
    loaded = overlay({"evidence.csv": EVIDENCE + row})
    (found,) = loaded.disclosures("gpt-4o", "openai_chat")
    assert (found.facility_energy_wh, found.input_tokens, found.output_tokens, found.log_sd) == (0.3, 500, 300, 0.2)
    assert loaded.disclosures("gpt-4o-mini", "openai")
    assert loaded.disclosures("gpt-4o", "azure") == ()
    assert loaded.disclosures("gpt-5", "openai") == ()
    assert loaded.evidence("mine:1")[0].overlaid


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "prices.csv",
            PRICES + "openai,gpt-4o,cheap,4,me\n",
            r"row 2, column usd_per_mtok_input: 'cheap' is not allowed",
        ),
        ("prices.csv", PRICES + "openai,gpt-4o,-1,4,me\n", "row 2, column usd_per_mtok_input: '-1'"),
        ("prices.csv", PRICES + "openai,gpt-4o,1,,me\n", "row 2, column usd_per_mtok_output: ''"),
        (
            "prices.csv",
            PRICES + "openai,gpt-4o,1,4,me\nOpenAI,GPT-4o,1,4,me\n",
            "row 3, column provider, model .*overlap",
        ),
        ("hosts.csv", HOSTS + "a,hosted_big,,,,,,,,,me\n", "row 2, column profile: 'hosted_big' is not allowed"),
        ("hosts.csv", HOSTS + "a,hosted_small,H100=x,me,,,,,,,me\n", "row 2, column hardware: 'H100=x' is not allowed"),
        (
            "hosts.csv",
            HOSTS + "a,hosted_small,H900,me,,,,,,,me\n",
            "row 2, column hardware: 'H900' has no row in hardware.csv",
        ),
        ("hosts.csv", HOSTS + "a,hosted_small,H100,,,,,,,,me\n", "row 2, column hardware_source: it is needed"),
        (
            "hosts.csv",
            HOSTS + "a,hosted_small,,,1.3,1.2,1.4,me,,,me\n",
            "row 2, column pue: pue_low <= pue <= pue_high",
        ),
        (
            "hosts.csv",
            HOSTS + "a,hosted_small,,,,1.2,,me,,,me\n",
            "row 2, column pue: pue_low, pue and pue_high are",
        ),
        ("hosts.csv", HOSTS + "a,hosted_small,,,1.1,1.2,1.3,,,,me\n", "row 2, column pue_source: it is needed"),
        (
            "hosts.csv",
            HOSTS + "a,hosted_small,,,,,,,mars,me,me\n",
            "row 2, column regions: 'mars' has no row in regions.csv",
        ),
        (
            "capacity.csv",
            "region_id,twh_per_year,source\ncountry:QQ,1,me\n",
            "row 2, column region_id: 'country:QQ' has no",
        ),
        ("capacity.csv", "region_id,twh_per_year,source\nworld,1,me\n", "row 2, column region_id: 'world' has no"),
        ("capacity.csv", "region_id,twh_per_year,source\ncountry:SE,0,me\n", "row 2, column twh_per_year: '0'"),
        (
            "evidence.csv",
            EVIDENCE + "a,disclosure,gpt-4o,,facility_energy,0.3,0.2,kWh,500,300,2026,me\n",
            "row 2, column unit: facility_energy is given in Wh, not 'kWh'",
        ),
        (
            "evidence.csv",
            EVIDENCE + "a,disclosure,,,facility_energy,0.3,0.2,Wh,500,300,2026,me\n",
            "row 2, column models: name the models",
        ),
        (
            "evidence.csv",
            EVIDENCE + "a,disclosure,gpt-4o,,facility_energy,0.3,0.2,Wh,,,2026,me\n",
            "row 2, column total_output_tokens: give the tokens",
        ),
        (
            "evidence.csv",
            EVIDENCE + "a,disclosure,gpt-4o,,facility_energy,0.3,,Wh,500,300,2026,me\n",
            "row 2, column log_sd: give it, or low and high",
        ),
        (
            "evidence.csv",
            EVIDENCE + "a,disclosure,gpt-99,,facility_energy,0.3,0.2,Wh,500,300,2026,me\n",
            "row 2, column models: 'gpt-99' has no row in models.csv",
        ),
        (
            "evidence.csv",
            EVIDENCE + "a,disclosure,gpt-4o,,facility_energy,0,0.2,Wh,500,300,2026,me\n",
            "row 2, column value: '0' is not allowed",
        ),
        (
            "evidence.csv",
            EVIDENCE + "a,disclosure,gpt-4o,,facility_energy,1,0.2,Wh,500,300,soon,me\n",
            "row 2, column date: 'soon' does not begin with a year",
        ),
        (
            "evidence.csv",
            EVIDENCE.replace("source", "based_on,source") + "a,estimate,,,x,1,,B,,,2026,b,me\n",
            "row 2, column based_on: 'b' has no row in evidence.csv",
        ),
    ],
)
def test_a_mistake_is_named_with_file_row_and_column(overlay: Overlay, name: str, text: str, message: str) -> None:
    with pytest.raises(ReferenceDataError, match=message) as caught:
        overlay({name: text})
    assert name in str(caught.value)
