"""From a token's groups to what its bearer may do: never more than some one group of it allows."""

from hypothesis import given
from hypothesis import strategies as st

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.oidc.claims import parse_claim_rules
from rice_stream.api.access.rights import RIGHTS, Right
from rice_stream.api.access.shares import share_of_token

TENANTS, TEAMS, GROUPS = ("acme", "globex", "initech"), ("search", "ranker"), ("g1", "g2", "g3", "g4")
names = st.lists(st.sampled_from(TENANTS), min_size=1, max_size=3, unique=True)
entries = st.fixed_dictionaries(
    {"role": st.sampled_from(sorted(RIGHTS)), "tenants": st.just("*") | names},
    optional={"teams": st.lists(st.sampled_from(TEAMS), max_size=2, unique=True)},
)
files = st.dictionaries(st.sampled_from(GROUPS), entries, min_size=1)
said = st.lists(st.sampled_from((*GROUPS, "unknown", "G1", "")), max_size=6)


@given(files, said, st.sampled_from(TENANTS), st.sampled_from((*TEAMS, None)))
def test_a_right_holds_only_where_one_group_gives_it(
    file: dict[str, dict[str, object]], groups: list[str], tenant: str, team: str | None
) -> None:
    """For each right, tenant and team: no role of one group ever works on the tenants of another."""
    rules = parse_claim_rules({"groups": file}, "claims.yaml")
    grants = rules.grants_of(rules.groups_of({"groups": groups}))
    caller = Caller("somebody", "oidc", grants, share_of_token(1.0))
    for right in Right:
        given_by_one = any(
            right in RIGHTS[str(entry["role"])]
            and (entry["tenants"] == "*" or tenant in entry["tenants"])  # type: ignore[operator]
            and (not entry.get("teams") or team in entry["teams"])  # type: ignore[operator]
            for name, entry in file.items()
            if name in groups
        )
        scope = caller.scope(right)
        seen = scope.has_tenant(tenant) and scope.has_team(team)
        assert given_by_one or not seen
        assert caller.may(right) == any(right in RIGHTS[str(file[name]["role"])] for name in file if name in groups)


@given(files, said)
def test_the_order_in_which_a_provider_names_groups_does_not_matter(
    file: dict[str, dict[str, object]], groups: list[str]
) -> None:
    rules = parse_claim_rules({"groups": file}, "claims.yaml")
    forwards = rules.groups_of({"groups": groups})
    assert forwards == rules.groups_of({"groups": [*reversed(groups), *groups]})


@given(files, said)
def test_one_group_alone_gives_exactly_what_the_file_says_of_it(
    file: dict[str, dict[str, object]], groups: list[str]
) -> None:
    rules = parse_claim_rules({"groups": file}, "claims.yaml")
    for name in set(groups) & set(file):
        [grant] = rules.grants_of((name,))
        entry = file[name]
        assert grant.role == entry["role"]
        assert grant.tenants == (None if entry["tenants"] == "*" else frozenset(entry["tenants"]))  # type: ignore[call-overload]
        assert grant.teams == frozenset(entry.get("teams", ()))  # type: ignore[call-overload]
