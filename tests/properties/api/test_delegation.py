"""What somebody may hand on: over all pairs of grants, a token never allows what its creator may not do."""

from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.api.access.delegation import excess, is_within
from rice_stream.api.access.rights import RIGHTS, Grant, Right

SETS = (frozenset("a"), frozenset("b"), frozenset("ab"))
GRANTS = [Grant(*one) for one in product(RIGHTS, (None, frozenset(), *SETS), (frozenset(), *SETS))]
NAMES = st.frozensets(st.sampled_from("abcd"), max_size=4)
ANY_GRANT = st.builds(Grant, st.sampled_from(sorted(RIGHTS)), st.none() | NAMES, NAMES)


def abilities(grant: Grant) -> Iterator[tuple[Right, str, str | None]]:
    """Everything that a grant allows: a right on what one team of a tenant, or no team, was charged for.

    `z` and `y` are a tenant and a team that no grant names.
    """
    tenants = "abcdz" if grant.tenants is None else grant.tenants
    teams: tuple[str | None, ...] = tuple(grant.teams) if grant.teams else (None, *"abcdy")
    return ((right, tenant, team) for right in RIGHTS[grant.role] for tenant in tenants for team in teams)


def check(creator: Grant, asked: Grant) -> None:
    """Allowed exactly where nothing is beyond; a grant for no tenant at all allows nothing, and may be refused all the same."""
    beyond = set(abilities(asked)) - set(abilities(creator))
    if is_within(creator, asked):
        assert not beyond
    elif asked.tenants != frozenset():
        assert beyond


@pytest.mark.parametrize("role", RIGHTS)
def test_no_pair_of_grants_hands_on_more_than_there_is(role: str) -> None:
    """All pairs of roles, over every tenant, none, one, another and both, and the same for teams."""
    for creator in (grant for grant in GRANTS if grant.role == role):
        for asked in GRANTS:
            check(creator, asked)


@given(ANY_GRANT, ANY_GRANT)
def test_nor_does_any_other_pair(creator: Grant, asked: Grant) -> None:
    check(creator, asked)


@given(ANY_GRANT, ANY_GRANT, ANY_GRANT)
def test_nothing_is_gained_by_handing_on_what_was_handed_on(first: Grant, second: Grant, third: Grant) -> None:
    """A token that a token made is within what the first creator has."""
    if is_within(first, second) and is_within(second, third):
        assert is_within(first, third)


@given(ANY_GRANT)
def test_everything_of_ones_own_may_be_handed_on(grant: Grant) -> None:
    assert is_within(grant, grant)


def test_what_goes_beyond_is_named() -> None:
    acme = frozenset({"acme"})
    admin = Grant("admin", acme, frozenset({"red"}))
    assert excess(Grant("editor"), Grant("admin")) == "role"
    assert excess(Grant("editor"), Grant("auditor")) == "role"
    assert excess(admin, Grant("reader")) == "tenants"
    assert excess(admin, Grant("reader", acme)) == "teams"
    assert excess(admin, Grant("admin", acme, frozenset({"red"}))) is None
