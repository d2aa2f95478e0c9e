"""The strict loader and the overlay: every kind of mistake is named with file, row and column; overlays win by key."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rice_stream.errors import ReferenceDataError
from rice_stream.instants import us_from_iso
from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference

AT_US = us_from_iso("2026-06-01")

RCI = "region_id,scope,signal,accounting,rci_gco2e_per_kwh,year,valid_from,valid_to,source\n"
PUE = "subject,basis,pue,year,valid_from,valid_to,source\n"
MODELS = (
    "model_id,owner,params_total_b_low,params_total_b,params_total_b_high,params_active_b,"
    "estimated,valid_from,valid_to,source\n"
)


@pytest.fixture(scope="module")
def shipped() -> Reference:
    return load_reference()


@pytest.fixture
def overlay(tmp_path: Path) -> Callable[[dict[str, str]], Reference]:
    """Loads with an overlay of file name -> text."""

    def load(files: dict[str, str]) -> Reference:
        for name, text in files.items():
            (tmp_path / name).write_text(text, "utf-8")
        return load_reference(tmp_path)

    return load


Overlay = Callable[[dict[str, str]], Reference]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "pue.csv",
            PUE + "fleet:x,fleet,0.9,,,,me\n",
            r"pue.csv row 2, column pue: '0.9' is not allowed; it holds a number from 1 up to 3",
        ),
        ("pue.csv", PUE + "fleet:x,fleet,3.1,,,,me\n", "row 2, column pue"),
        ("pue.csv", PUE + "fleet:x,fleet,nan,,,,me\n", "row 2, column pue: 'nan'"),
        ("pue.csv", PUE + "fleet:x,fleet,high,,,,me\n", "row 2, column pue: 'high'"),
        (
            "pue.csv",
            PUE + "fleet:x,guess,1.2,,,,me\n",
            "column basis: 'guess' is not allowed; it holds one of region, factsheet",
        ),
        ("pue.csv", PUE + "fleet:x,fleet,1.2,,,,\n", "row 2, column source: '' is not allowed"),
        ("pue.csv", PUE + "\nfleet:x,fleet,1.2,twenty,,,me\n", "row 3, column year: 'twenty'"),
        ("pue.csv", PUE + "fleet:x,fleet,1.2,,soon,,me\n", "row 2, column valid_from: 'soon'"),
        ("pue.csv", PUE + "fleet:x,fleet,1.2,,2026-02-01,2026-01-01,me\n", "column valid_to: it must be later"),
        ("pue.csv", PUE + "fleet:x,fleet,1.2\n", "row 2: 3 cells where the header has 7"),
        (
            "pue.csv",
            PUE + "fleet:x,fleet,1.2,,,,me\nfleet:x,fleet,1.3,,,,me\n",
            r"row 3, column subject \(fleet:x\): its dates overlap",
        ),
        (
            "pue.csv",
            PUE + "fleet:x,fleet,1.2,,,2026-02-01,me\nfleet:x,fleet,1.3,,2026-01-31,,me\n",
            "row 3, column subject .*overlap with those of .*row 2",
        ),
        (
            "pue.csv",
            PUE + "mars:base,region,1.2,,,,me\n",
            "row 2, column subject: 'mars:base' has no row in regions.csv",
        ),
        (
            "pue.csv",
            PUE.replace("pue,", "pue,colour,") + "a,fleet,1.2,,,,,me\n",
            "column 'colour' is unknown; the columns are subject",
        ),
        ("pue.csv", "subject,basis,year,source\n", "row 1: column 'pue' is missing"),
        ("pue.csv", "", "row 1: column 'subject' is missing"),
        (
            "rci.csv",
            RCI + "country:SE,lifecycle,average,location,2000.1,,,,me\n",
            "row 2, column rci_gco2e_per_kwh: '2000.1'",
        ),
        ("rci.csv", RCI + "country:SE,lifecycle,average,location,-1,,,,me\n", "row 2, column rci_gco2e_per_kwh: '-1'"),
        (
            "rci.csv",
            RCI + "country:XX,lifecycle,average,location,10,,,,me\n",
            "column region_id: 'country:XX' has no row in regions.csv",
        ),
        ("rci.csv", RCI + 'country:SE,lifecycle,"average,location,1,,,,me\n', "rci.csv row .*not readable as CSV"),
        (
            "models.csv",
            MODELS + "m,me,70,,60,,true,,,me\n",
            "row 2, column params_total_b: low <= value <= high is needed",
        ),
        ("models.csv", MODELS + "m,me,7,,,,true,,,me\n", "column params_total_b: give the value, or both"),
        ("models.csv", MODELS + "m,me,,7,,8,false,,,me\n", "column params_active_b: 8.0 is more than the 7.0 in total"),
        (
            "models.csv",
            MODELS + "m,me,,7,,,perhaps,,,me\n",
            "column estimated: 'perhaps' is not allowed; it holds true or false",
        ),
        (
            "models.csv",
            "model_id,owner,params_total_b,layers,estimated,source\nm,me,7,32,false,me\n",
            "column layers: layers, kv_heads and head_dim",
        ),
        (
            "aliases.csv",
            "alias,model_id,rung,source\na,no-such-model,alias,me\n",
            "column model_id: 'no-such-model' has no row in models.csv",
        ),
        (
            "regions.csv",
            "region_id,kind,name,ladder,source\ns:1,grid_zone,S,country:QQ,me\n",
            "column ladder: 'country:QQ' has no row",
        ),
        (
            "regions.csv",
            "region_id,kind,name,source\ns:1,grid_zone,S,me\nS:1,grid_zone,S,me\n",
            "row 3, column region_id .*its key is that of",
        ),
        (
            "spreads.csv",
            "quantity,rung,factor_low,factor_mid,factor_high,source\nparams,dated,0.9,0.8,1.1,me\n",
            "column factor_mid: factor_low <= ",
        ),
        ("tariffs.csv", "a\n1\n", "no table has this name; tables are sources.csv, models.csv"),
    ],
)
def test_a_mistake_is_named_with_file_row_and_column(overlay: Overlay, name: str, text: str, message: str) -> None:
    with pytest.raises(ReferenceDataError, match=message) as caught:
        overlay({name: text})
    assert name in str(caught.value)


def test_all_mistakes_of_a_file_are_reported_at_once(overlay: Overlay) -> None:
    with pytest.raises(ReferenceDataError, match=r"row 2, column pue.*row 3, column basis"):
        overlay({"pue.csv": PUE + "fleet:x,fleet,9,,,,me\nfleet:y,nothing,1.2,,,,me\n"})


def test_a_file_that_is_not_utf_8_and_a_folder_that_is_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "pue.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(ReferenceDataError, match=r"pue\.csv: not UTF-8"):
        load_reference(tmp_path)
    with pytest.raises(ReferenceDataError, match="not a folder"):
        load_reference(tmp_path / "absent")


def test_an_overlay_replaces_a_row_by_its_key_and_adds_others(overlay: Overlay, shipped: Reference) -> None:
    loaded = overlay(
        {
            "regions.csv": "region_id,kind,name,country,ladder,spellings,source\n"
            "site:lulea,grid_zone,Own,SE,country:SE,lulea,facility team\n",
            "rci.csv": RCI + "site:lulea,lifecycle,average,location,21,2026,,,facility team\n"
            "country:SE,lifecycle,average,location,30,2026,,,grid operator\n",
        }
    )
    own = loaded.resolve_region("lulea", None, "lifecycle", AT_US)
    assert (own.region_id, own.rci_gco2e_per_kwh.mid, own.rung, own.source) == (
        "site:lulea",
        21,
        "grid_zone",
        "facility team",
    )
    assert loaded.resolve_region("azure:swedencentral", None, "lifecycle", AT_US).rci_gco2e_per_kwh.mid == 30
    assert loaded.resolve_region("NO", None, "lifecycle", AT_US) == shipped.resolve_region(
        "NO", None, "lifecycle", AT_US
    )


def test_an_overlay_row_with_dates_leaves_the_shipped_row_in_force_outside_them(overlay: Overlay) -> None:
    loaded = overlay({"pue.csv": PUE + "fleet:aws,fleet,1.3,2026,2026-03-01,2026-04-01,me\n"})
    assert [
        loaded.resolve_pue(None, "aws", us_from_iso(day)).pue
        for day in ("2026-02-28", "2026-03-01", "2026-03-31", "2026-04-01")
    ] == [
        1.14,
        1.3,
        1.3,
        1.14,
    ]
    assert us_from_iso("2026-03-01") in loaded.boundaries_us
    assert us_from_iso("2026-04-01") in loaded.boundaries_us


def test_an_overlay_maps_the_users_own_names_even_over_shipped_ones(overlay: Overlay) -> None:
    loaded = overlay(
        {
            "models.csv": MODELS + "acme-chat,acme,,70,,,false,,,platform team\n",
            "aliases.csv": "alias,provider,model_id,rung,source\n"
            "prod-chat,azure,acme-chat,alias,me\n"
            "gpt-4,azure,acme-chat,alias,me\n",
        }
    )
    assert loaded.resolve_model("azure", "prod-chat", None, AT_US).model_id == "acme-chat"
    assert loaded.resolve_model("azure", "gpt-4", None, AT_US).model_id == "acme-chat"
    assert loaded.resolve_model("openai", "gpt-4", None, AT_US).model_id == "gpt-4"


def test_market_based_values_are_given_beside_and_end_with_their_contract(overlay: Overlay) -> None:
    loaded = overlay({"rci.csv": RCI + "country:SE,lifecycle,average,market,4,2026,2026-01-01,2027-01-01,contract\n"})
    within, after = (
        loaded.resolve_region("SE", None, "lifecycle", us_from_iso(day)) for day in ("2026-12-31", "2027-01-01")
    )
    assert (within.market_rci_gco2e_per_kwh, after.market_rci_gco2e_per_kwh) == (4, None)
    assert within.rci_gco2e_per_kwh.mid == 35.26


def test_the_version_is_a_digest_of_the_rows_in_force_and_not_of_their_layout(
    overlay: Overlay, shipped: Reference, tmp_path: Path
) -> None:
    assert shipped.version == overlay({}).version
    assert len(shipped.version.removeprefix("factors-")) == 12
    changed = overlay({"pue.csv": PUE + "fleet:aws,fleet,1.3,2026,,,me\n"})
    assert changed.version != shipped.version
    same = overlay({"pue.csv": "\ufeff" + PUE.replace("\n", "\r\n") + "\r\nfleet:aws,fleet,1.30,2026,,,me\r\n"})
    assert same.version == changed.version


def test_free_words_are_a_source_too(overlay: Overlay) -> None:
    loaded = overlay({"pue.csv": PUE + 'fleet:aws,fleet,1.3,2026,,,"our meter, hall 2"\n'})
    assert loaded.resolve_pue(None, "aws", AT_US).source == "our meter, hall 2"
