"""Shared emissions divided among others: worked out by hand, and to the microgram whatever the weights."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.errors import UsageError
from rice_stream.quantities import MEASURES
from rice_stream.reports.allocation import RULES, Allocated, Rule, allocated, check_allocation, divided


def sums(carbon: int, tokens: int = 0) -> list[int]:
    """Of a group."""
    return [{"carbon_mid_ugco2e": carbon, "input_tokens": tokens}.get(name, 0) for name in MEASURES]


GROUPS = {
    ("acme", "search"): sums(60, 10),
    ("acme", "ads"): sums(30, 30),
    ("acme", "platform"): sums(10, 1),
    ("globex", "platform"): sums(7),
}


@pytest.mark.parametrize(("rule", "search", "ads"), [("equal", 5, 5), ("carbon", 7, 3), ("tokens", 3, 7)])
def test_it_is_divided_by_the_rule_within_a_tenant(rule: Rule, search: int, ads: int) -> None:
    """10 µg: the same, 2 to 1 (6.67 and 3.33), or 1 to 3 (2.5 and 7.5: what is left goes to the first). Who is alone keeps it."""
    assert allocated(GROUPS, ("tenant", "team"), rule, ["platform"]) == {
        ("acme", "search"): Allocated(60 + search, search),
        ("acme", "ads"): Allocated(30 + ads, ads),
        ("acme", "platform"): Allocated(0, -10),
        ("globex", "platform"): Allocated(7, 0),
    }


def test_the_unattributed_can_be_shared() -> None:
    groups = {(None,): sums(4), ("a",): sums(1), ("b",): sums(1)}
    assert allocated(groups, ("cost_centre",), "equal", [""]) == {
        (None,): Allocated(0, -4), ("a",): Allocated(3, 2), ("b",): Allocated(3, 2),
    }  # fmt: skip


@given(st.integers(0, 10**18), st.lists(st.integers(0, 10**15), max_size=30))
def test_parts_add_up_to_what_is_divided(amount: int, weights: list[int]) -> None:
    """And no part is off by more than one from its exact share."""
    parts = divided(amount, weights)
    assert sum(parts) == (amount if weights else 0)
    if sum(weights):
        assert all(
            abs(part * sum(weights) - amount * weight) < sum(weights)
            for part, weight in zip(parts, weights, strict=True)
        )


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["acme", "globex"]), st.sampled_from(["a", "b", "c", "platform", None])),
        st.builds(sums, st.integers(0, 10**12), st.integers(0, 10**9)),
    ),
    st.sampled_from(RULES),
    st.sets(st.sampled_from(["a", "platform", ""]), min_size=1),
)
def test_the_rows_add_up_to_the_total_of_each_tenant(
    groups: dict[tuple[str, str | None], list[int]], rule: Rule, shared: set[str]
) -> None:
    """Nothing is lost, made, or moved to another tenant."""
    found = allocated(groups, ("tenant", "team"), rule, sorted(shared))
    carbon = MEASURES.index("carbon_mid_ugco2e")
    for tenant in ("acme", "globex"):
        own = sum(amounts[carbon] for (name, _), amounts in groups.items() if name == tenant)
        assert sum(each.ugco2e for (name, _), each in found.items() if name == tenant) == own
        assert sum(each.shared_ugco2e for (name, _), each in found.items() if name == tenant) == 0


@pytest.mark.parametrize(
    ("fields", "tenant", "shared", "top", "said"),
    [
        (("team", "model"), "acme", ["x"], None, "break down by one of"),
        (("team", "cost_centre"), "acme", ["x"], None, "break down by one of"),
        (("tenant",), "acme", ["x"], None, "break down by one of"),
        (("team",), None, ["x"], None, "nothing is divided among tenants"),
        (("team",), "acme", [], None, "say whose use the others share"),
        (("team",), "acme", ["x"], 3, "all names are needed"),
    ],
)
def test_what_cannot_be_divided_is_refused(
    fields: tuple[str, ...], tenant: str | None, shared: list[str], top: int | None, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        check_allocation(fields, tenant, shared, top)
