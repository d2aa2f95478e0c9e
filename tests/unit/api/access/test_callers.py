"""What callers may do: the union of their grants never gives what none of them gives."""

from hypothesis import given
from hypothesis import strategies as st

from rice_stream.api.access.callers import Caller, combined
from rice_stream.api.access.rights import Grant, Right
from rice_stream.api.access.shares import share_of_token
from rice_stream.store.scope import Scope

names = st.frozensets(st.sampled_from("abc"), max_size=3)
scopes = st.lists(st.builds(Scope, st.none() | names, names), max_size=5)


def allows(scope: Scope, tenant: str, team: str | None) -> bool:
    return scope.has_tenant(tenant) and scope.has_team(team)


@given(scopes)
def test_scopes_put_together_allow_nothing_that_none_allows(several: list[Scope]) -> None:
    whole = combined(several)
    for tenant in "abcd":
        for team in (None, *"abcd"):
            assert not allows(whole, tenant, team) or any(allows(one, tenant, team) for one in several)


@given(scopes)
def test_whoever_may_see_everything_does(several: list[Scope]) -> None:
    assert combined([*several, Scope()]).is_everything


def test_each_right_has_the_scope_of_the_roles_that_give_it() -> None:
    """A reader of everything who edits one tenant reads everything and edits one tenant."""
    grants = (Grant("reader"), Grant("editor", frozenset({"acme"})))
    caller = Caller("somebody", "oidc", grants, share_of_token(1.0))
    assert caller.scope(Right.READ).is_everything
    assert caller.scope(Right.WRITE) == Scope(frozenset({"acme"}))
    assert not caller.may(Right.MANAGE_TOKENS)
    assert caller.scope(Right.MANAGE_TOKENS) == Scope(frozenset())
    assert caller.grant(Right.SEND_EVENTS) == Grant("editor", frozenset({"acme"}))


def test_tenants_and_teams_are_put_together_where_one_scope_can_say_it() -> None:
    assert combined([Scope(frozenset("a")), Scope(frozenset("b"))]) == Scope(frozenset("ab"))
    assert combined([Scope(frozenset("a"), frozenset("x")), Scope(frozenset("a"), frozenset("y"))]) == Scope(
        frozenset("a"), frozenset("xy")
    )
    assert combined([Scope(frozenset("a"), frozenset("x")), Scope(frozenset("a"))]) == Scope(frozenset("a"))
    assert combined([]) == Scope(frozenset())
