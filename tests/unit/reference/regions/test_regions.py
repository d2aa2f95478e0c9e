"""Region look-ups: spellings, both scopes, each rung, assumed places. Figures are those of the cited sources."""

from functools import cache

import pytest

from rice_stream.errors import UsageError
from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference
from rice_stream.reference.types import RegionFactor

AT_US = 1_790_000_000_000_000


@cache
def reference() -> Reference:
    return load_reference()


def resolve(region: str | None, scope: str, provider: str | None = None, default: str | None = None) -> RegionFactor:
    return reference().resolve_region(region, provider, scope, AT_US, default)


@pytest.mark.parametrize(
    ("region", "provider", "region_id"),
    [
        ("azure:swedencentral", None, "azure:swedencentral"),
        ("Sweden Central", "azure.ai.openai", "azure:swedencentral"),
        ("swedencentral", None, "azure:swedencentral"),
        ("aws:us-east-1", None, "aws:us-east-1"),
        ("us-east-1", "aws.bedrock", "aws:us-east-1"),
        ("us-east-1a", "aws.bedrock", "aws:us-east-1"),
        ("eu-west-1", None, "aws:eu-west-1"),
        ("AWS/eu-west-1", None, "aws:eu-west-1"),
        ("gcp:europe-west4", None, "gcp:europe-west4"),
        ("europe-west4-b", "gcp.vertex_ai", "gcp:europe-west4"),
        ("ovh:gra", None, "ovh:fr-gravelines"),
        ("SE", None, "country:SE"),
        ("swe", None, "country:SE"),
        ("Sweden", None, "country:SE"),
        ("uk", None, "country:GB"),
        ("south korea", None, "country:KR"),
        ("us", None, "country:US"),
        ("eu", None, "area:eu27"),
        ("europe", None, "area:europe"),
        ("global", None, "world"),
        ("apac", "aws.bedrock", "world"),
        ("California", None, "us-state:CA"),
        ("US-CA", None, "us-state:CA"),
        ("CA", None, "country:CA"),
        ("us-east-99", None, "country:US"),
        ("swedensouth", "azure", "country:SE"),
        ("eastus9", "azure", "country:US"),
        ("SE-SE3", None, "country:SE"),
    ],
)
def test_spellings_lead_to_the_place(region: str, provider: str | None, region_id: str) -> None:
    assert reference().identify_region(region, provider) == region_id


@pytest.mark.parametrize("region", ["nowhere", "", "unknown", "not_available", "sa-west-9", "me-1", "ap-x-1"])
def test_what_names_no_place_is_not_guessed(region: str) -> None:
    """`sa`, `me` and `ap` are parts of the world in cloud names and countries elsewhere."""
    assert reference().identify_region(region) is None


@pytest.mark.parametrize(
    ("region", "scope", "rci", "rung", "factor_region_id"),
    [
        ("azure:swedencentral", "lifecycle", 35.26, "country", "country:SE"),
        ("aws:us-east-1", "lifecycle", 378.21, "grid_zone", "grid:us-pjm"),
        ("gcp:us-central1", "lifecycle", 455.01, "subregion", "us-egrid:MROW"),
        ("aws:us-west-2", "lifecycle", 162.00, "grid_zone", "grid:us-columbia"),
        ("us-state:VA", "lifecycle", 279.49, "state", "us-state:VA"),
        ("azure:japaneast", "lifecycle", 550.60, "grid_zone", "grid:jp-tokyo"),
        ("aws:ca-central-1", "lifecycle", 38.29, "grid_zone", "grid:ca-qc"),
        ("aws:cn-north-1", "lifecycle", 525.34, "country", "country:CN"),
        ("us-east-99", "lifecycle", 384.4, "country", "country:US"),
        ("country:FR", "lifecycle", 41.44, "country", "country:FR"),
        ("eu", "lifecycle", 209.9, "area", "area:eu27"),
        ("gcp:us-east4", "direct", 343.48, "region", "gcp:us-east4"),
        ("aws:us-east-1", "direct", 343.48, "grid_zone", "grid:us-pjm"),
        ("aws:us-west-2", "direct", 288.15, "subregion", "us-egrid:NWPP"),
        ("us-state:VA", "direct", 244.76, "state", "us-state:VA"),
        ("aws:cn-north-1", "direct", 555.4, "state", "cn-province:CN-BJ"),
        ("country:US", "direct", 349.67, "country", "country:US"),
        ("ovh:fr-gravelines", "direct", 15.83, "grid_zone", "grid:fr"),
    ],
)
def test_the_finest_row_of_the_scope_is_taken(
    region: str, scope: str, rci: float, rung: str, factor_region_id: str
) -> None:
    factor = resolve(region, scope)
    assert (factor.rci_gco2e_per_kwh.mid, factor.rung, factor.factor_region_id) == (rci, rung, factor_region_id)
    assert factor.scope == scope
    assert factor.year is not None


def test_a_scope_without_a_row_is_converted_and_says_so() -> None:
    """Ireland has a lifecycle value of 256.54 only: direct is 0.68 of it, 0.16 to 1.15."""
    factor = resolve("aws:eu-west-1", "direct")
    assert factor.rung == "country_converted"
    rci = factor.rci_gco2e_per_kwh
    assert (rci.low, rci.mid, rci.high) == pytest.approx((41.0464, 174.4472, 295.021))


def test_a_country_with_several_grids_says_less_about_a_region_in_it() -> None:
    """China publishes provinces without what a lifecycle adds: its country value stands for a region, with a wider range."""
    inside, whole = resolve("aws:cn-north-1", "lifecycle"), resolve("country:CN", "lifecycle")
    assert inside.rci_gco2e_per_kwh.low == pytest.approx(0.51 * 525.34)
    assert whole.rci_gco2e_per_kwh.low == pytest.approx(0.74 * 525.34)


def test_a_grids_lifecycle_value_is_its_direct_one_and_what_the_country_adds() -> None:
    """PJM 343.48 direct, United States 384.4 lifecycle and 349.67 direct: 343.48 + 34.73, known within 0.81 to 1.24.
    Tokyo 449.23 direct, no direct value of Japan: 25 + 1.17 times that."""
    rci = resolve("aws:us-east-1", "lifecycle").rci_gco2e_per_kwh
    assert (rci.low, rci.mid, rci.high) == pytest.approx((0.81 * 378.21, 343.48 + 384.4 - 349.67, 1.24 * 378.21))
    tokyo = resolve("aws:ap-northeast-1", "lifecycle")
    assert tokyo.rci_gco2e_per_kwh.mid == pytest.approx(25 + 1.17 * 449.23, abs=0.01)
    assert "what the lifecycle value of its country is more" in tokyo.source


def test_a_grid_that_sources_dispute_is_their_geometric_mean_within_both() -> None:
    """The Columbia basin: 97.85 by Google, 165.54 in Oregon by eGRID; 127.3 + 34.7, within 0.70 to 1.43 of it."""
    rci = resolve("azure:westus2", "lifecycle").rci_gco2e_per_kwh
    assert rci.mid == pytest.approx((97.85 * 165.54) ** 0.5 + 34.73, abs=0.01)
    assert (rci.low, rci.high) == pytest.approx((0.70 * rci.mid, 1.43 * rci.mid), rel=1e-6)
    assert rci.low < 97.85 + 34.73 < 165.54 + 34.73 < rci.high


def test_a_region_in_a_country_is_known_no_less_than_the_country() -> None:
    """Of all cloud regions with a value finer than a country's, but for the two grids that sources dispute."""
    table = reference().regions
    finer = 0
    for place in table.places.values():
        if place.kind != "cloud_region":
            continue
        found, country = resolve(place.region_id, "lifecycle"), resolve(f"country:{place.country}", "lifecycle")
        if found.level in ("grid_zone", "subregion") and not table.places[found.factor_region_id].split_grid:
            finer += 1
            one, whole = found.rci_gco2e_per_kwh, country.rci_gco2e_per_kwh
            assert one.high / one.low < whole.high / whole.low, place.region_id
    assert finer == 78


def test_a_published_zero_is_a_gap_and_not_clean_electricity() -> None:
    """One country is listed with 0 g/kWh: it falls to the world."""
    factor = resolve("country:CF", "lifecycle")
    assert (factor.region_id, factor.rung) == ("country:CF", "world")
    assert factor.rci_gco2e_per_kwh == resolve(None, "lifecycle").rci_gco2e_per_kwh


def test_the_configured_default_stands_in_for_an_unknown_region() -> None:
    factor = resolve("nowhere", "lifecycle", default="azure:swedencentral")
    assert (factor.region_id, factor.rung, factor.level) == ("azure:swedencentral", "default_region", "country")


@pytest.mark.parametrize("region", [None, "nowhere", "global", "world"])
def test_where_no_place_is_known_the_worlds_data_centres_stand_in(region: str | None) -> None:
    """Countries weighted by the electricity of their data centres: a factor of about 4, and not of 15, between the ends."""
    factor = resolve(region, "lifecycle")
    rci = factor.rci_gco2e_per_kwh
    assert (factor.region_id, factor.rung, factor.level) == ("world", "world", "world")
    assert (rci.low, rci.mid, rci.high) == pytest.approx((208, 409, 802), rel=0.01)
    assert factor.note.startswith("a mix of country:US 44%, country:CN 25%, ")


@pytest.mark.parametrize(("provider", "vendor"), [("openai", None), (None, "openai"), ("my-gateway", "openai")])
def test_the_usual_places_of_the_provider_or_else_the_vendor_come_before_the_world(
    provider: str | None, vendor: str | None
) -> None:
    """The United States nineteen times in twenty: 384.4 g/kWh there, 0.51 to 1.24 times that at one site, and 409 else."""
    factor = reference().resolve_region(None, provider, "lifecycle", AT_US, vendor=vendor)
    rci = factor.rci_gco2e_per_kwh
    assert (factor.region_id, factor.rung) == ("country:US", "vendor")
    assert (rci.low, rci.mid, rci.high) == pytest.approx((245, 385, 607), rel=0.01)


def test_a_known_region_or_a_configured_one_comes_before_the_vendors_places() -> None:
    def at(region: str | None, default: str | None) -> RegionFactor:
        return reference().resolve_region(region, None, "lifecycle", AT_US, default, vendor="openai")

    assert (at("SE", "NO").region_id, at("SE", "NO").rung) == ("country:SE", "country")
    assert (at(None, "NO").region_id, at(None, "NO").rung) == ("country:NO", "default_region")
    assert at("global", "NO").rung == "vendor"


def test_ones_own_machines_are_not_where_the_models_vendor_is() -> None:
    assert reference().resolve_region(None, "ollama", "lifecycle", AT_US, vendor="openai").rung == "world"


def test_a_router_to_many_hosts_is_assumed_nowhere() -> None:
    assert resolve(None, "lifecycle", "openrouter").rung == "world"


def test_a_scope_that_does_not_exist_is_a_wrong_setting() -> None:
    with pytest.raises(UsageError, match="lifecycle, direct"):
        resolve("SE", "marginal")


def test_location_based_values_never_turn_into_market_based_ones() -> None:
    assert resolve("gcp:europe-west4", "direct").market_rci_gco2e_per_kwh is None


def test_water_comes_from_the_region_and_else_from_the_fleet() -> None:
    assert (resolve("aws:us-east-1", "direct").wue_l_per_kwh, resolve("aws:us-east-1", "direct").wue_basis) == (
        0.12,
        "region",
    )
    assert resolve("aws:ap-southeast-6", "direct").wue_basis == "fleet"
    assert resolve("country:SE", "direct").wue_l_per_kwh is None
