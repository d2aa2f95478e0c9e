"""How well a number is known: one rule, whose parts add up."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.reports.tier_words import KNOWN_TIERS, TIER_OF_ROW, TIERS, tier_of
from rice_stream.reports.tiers import tier_fields
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


@given(_KINDS, st.booleans())
def test_the_database_says_the_same_of_a_row(kind: RestsOn, has_tenant: bool) -> None:
    """What rows are told apart by is what shares are made of."""
    parts = ['"measured":{"basis":1}'] * kind.metered + ['"event_factors":"pue"'] * kind.stated
    detail = "{" + ",".join([*parts, '"z":1']) + "}"
    row = {**kind._asdict(), "detail": detail, "pue_rung": "region", "tenant": "acme" if has_tenant else "unknown"}
    del row["metered"], row["stated"]
    columns = ", ".join(f":{name} AS {name}" for name in row if name != "tenant")
    sql = f"SELECT {TIER_OF_ROW} FROM (SELECT {columns}) f, (SELECT :tenant AS tenant_id) t"
    if kind.region_rung == "event" and not kind.stated:
        kind = kind._replace(stated=True)  # an intensity of the event's own is stated by it
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute(sql, row).fetchone() == (tier_of(kind, has_tenant=has_tenant),)


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
