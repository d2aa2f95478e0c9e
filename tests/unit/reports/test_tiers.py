"""How well a number is known: one rule, whose parts add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.reports.tiers import KNOWN_TIERS, TIERS, tier_fields, tier_of
from rice_stream.store.factor_spreads import RestsOn

KNOWN = RestsOn("gpt-4o", "exact", "azure:swedencentral", "region", metered=False, stated=False)
_KINDS = st.builds(
    RestsOn,
    st.sampled_from(("gpt-4o", "unknown", "")),
    st.sampled_from(("exact", "dated", "family", "default")),
    st.sampled_from(("azure:swedencentral", "unknown", "")),
    st.sampled_from(("region", "event", "vendor", "world_converted", "default_region")),
    st.booleans(),
    st.booleans(),
)


@pytest.mark.parametrize(
    ("kind", "has_tenant", "tier"),
    [
        (KNOWN, True, "estimated"),
        (KNOWN._replace(stated=True), True, "reported"),
        (KNOWN._replace(stated=True, metered=True), True, "measured"),
        (KNOWN._replace(metered=True, region_rung="world"), True, "defaulted"),
        (KNOWN._replace(model_rung="family"), True, "defaulted"),
        (KNOWN._replace(region="unknown", region_rung="vendor"), True, "missing"),
        (KNOWN._replace(region="unknown", region_rung="event"), True, "estimated"),
        (KNOWN._replace(metered=True), False, "missing"),
    ],
)
def test_a_number_is_known_as_well_as_the_weakest_thing_it_rests_on(kind: RestsOn, has_tenant: bool, tier: str) -> None:
    assert tier_of(kind, has_tenant=has_tenant) == tier


@given(_KINDS, st.booleans())
def test_what_is_known_is_what_rests_on_no_fallback(kind: RestsOn, has_tenant: bool) -> None:
    falls_back = (
        kind.model_rung in ("family", "default")
        or kind.region_rung in ("vendor", "world_converted", "default_region")
        or not has_tenant
    )
    assert (tier_of(kind, has_tenant=has_tenant) in KNOWN_TIERS) is not falls_back


@given(st.dictionaries(st.sampled_from(TIERS), st.tuples(st.integers(0, 99), st.integers(0, 10**12))))
def test_shares_add_up_and_every_word_is_there(sums: dict[str, tuple[int, int]]) -> None:
    rows = tier_fields(sums)
    assert [row["tier"] for row in rows] == list(TIERS)
    assert sum(row["prompts"] for row in rows) == sum(prompts for prompts, _ in sums.values())
    shares = [row["share_of_carbon"] for row in rows]
    if any(carbon for _, carbon in sums.values()):
        assert sum(shares) == pytest.approx(1)
    else:
        assert shares == [None] * 5
