"""The claims file: what it may say, how its mistakes are named, and which groups of a token count."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rice_stream.api.access.oidc.claims import ClaimRules, parse_claim_rules
from rice_stream.api.access.oidc.claims_file import read_claim_rules
from rice_stream.api.access.rights import Grant
from rice_stream.errors import UsageError

FILE = """
groups:
  ai-finance: {role: reader, tenants: [acme, globex]}
  ranker-team: {role: editor, tenants: [acme], teams: [search, ranker]}
  "platform admins": {role: admin, tenants: "*"}
  gateways: {role: ingest, tenants: [initech], teams: []}
"""


def rules(text: str) -> ClaimRules:
    return parse_claim_rules(yaml.safe_load(text), "claims.yaml")


def test_a_file_becomes_what_each_group_may_do() -> None:
    made = rules(FILE)
    assert made.claim == "groups"
    assert made.groups == {
        "ai-finance": Grant("reader", frozenset({"acme", "globex"})),
        "ranker-team": Grant("editor", frozenset({"acme"}), frozenset({"search", "ranker"})),
        "platform admins": Grant("admin"),
        "gateways": Grant("ingest", frozenset({"initech"})),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "claims.yaml: must be a mapping with the key 'groups'"),
        ("- a", "claims.yaml: must be a mapping"),
        ("groups: {}", "groups: must be a mapping of names"),
        ("groups: [a]", "groups: must be a mapping of names"),
        ("claim: groups", "groups: must be a mapping of names"),
        ("roles: {}\n" + FILE, "roles: is no field; there are 'claim' and 'groups'"),
        ("claim: 7\n" + FILE, "claim: must be the name of a claim, got 7"),
        ("claim: ''\n" + FILE, "claim: must be the name of a claim"),
        ("groups: {a: reader}", "groups.a: must be a mapping {role, tenants, teams}"),
        ("groups: {7: {role: reader, tenants: [acme]}}", "groups.7: must be named by a text"),
        ("groups: {a: {tenants: [acme]}}", "groups.a.role: must be one of admin, editor, reader"),
        ("groups: {a: {role: owner, tenants: [acme]}}", "groups.a.role: must be one of .*, got 'owner'"),
        ("groups: {a: {role: [admin], tenants: [acme]}}", "groups.a.role: must be one of"),
        ("groups: {a: {role: admin}}", "groups.a.tenants: is missing; name them, or write '\\*' for every tenant"),
        ("groups: {a: {role: admin, tenants: }}", "groups.a.tenants: must be a list of names"),
        ("groups: {a: {role: admin, tenants: []}}", "groups.a.tenants: must be a list of names"),
        ("groups: {a: {role: admin, tenants: acme}}", "groups.a.tenants: must be a list of names"),
        ("groups: {a: {role: admin, tenants: [7]}}", "groups.a.tenants: must be a list of names"),
        ("groups: {a: {role: admin, tenants: [acme, '*']}}", "groups.a.tenants: write '\\*' alone"),
        ("groups: {a: {role: admin, tenants: [acme], teams: x}}", "groups.a.teams: must be a list of names"),
        ('groups: {a: {role: admin, tenants: ["acme\\0"]}}', "groups.a.tenants: must be a list of names"),
        ("groups: {a: {role: admin, tenants: [acme], team: [x]}}", "groups.a.team: is no field of a group"),
    ],
)
def test_every_mistake_is_named_with_file_and_field(text: str, said: str) -> None:
    """A misspelt field must never mean more rights than were meant."""
    with pytest.raises(UsageError, match=said):
        rules(text)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(UsageError) as error:
        rules("groups: {a: {role: x, tenants: 1}, b: {}}")
    assert all(name in str(error.value) for name in ("groups.a.role", "groups.a.tenants", "groups.b.role"))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="RICE_OIDC_CLAIMS_FILE: cannot read"):
        read_claim_rules(tmp_path / "missing.yaml")
    path = tmp_path / "claims.yaml"
    for text in ("groups: {", "groups: !!python/object/apply:os.system [true]", b"\xff"):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(UsageError, match=r"RICE_OIDC_CLAIMS_FILE: .* is not YAML"):
            read_claim_rules(path)
    path.write_text(FILE)
    assert read_claim_rules(path) == rules(FILE)


def test_a_group_that_is_named_twice_is_a_mistake(tmp_path: Path) -> None:
    """YAML itself would silently take the second one."""
    path = tmp_path / "claims.yaml"
    path.write_text("groups:\n  a: {role: reader, tenants: [acme]}\n  a: {role: admin, tenants: '*'}\n")
    with pytest.raises(UsageError, match="'a' is named twice"):
        read_claim_rules(path)


@pytest.mark.parametrize(
    ("said", "groups"),
    [
        (["ai-finance"], ("ai-finance",)),
        (["gateways", "unknown", "ai-finance"], ("ai-finance", "gateways")),
        ("ai-finance", ("ai-finance",)),
        ("ai-finance gateways", ()),
        (["AI-Finance", " ai-finance"], ()),
        ([["ai-finance"], {"ai-finance": 1}, 7, None], ()),
        ({"ai-finance": True}, ()),
        (None, ()),
        ([], ()),
    ],
)
def test_only_groups_that_the_file_names_count(said: Any, groups: tuple[str, ...]) -> None:
    """Letter by letter, and in the file's order."""
    assert rules(FILE).groups_of({"groups": said}) == groups


def test_another_claim_may_hold_the_groups_also_within_an_object() -> None:
    made = rules("claim: realm_access.roles\n" + FILE)
    assert made.groups_of({"realm_access": {"roles": ["ai-finance"]}}) == ("ai-finance",)
    assert made.groups_of({"realm_access": ["roles"], "groups": ["ai-finance"]}) == ()
    named = rules("claim: https://rice.example/groups\n" + FILE)
    assert named.groups_of({"https://rice.example/groups": ["ai-finance"]}) == ("ai-finance",)


def test_groups_that_were_taken_from_the_file_give_nothing_any_more() -> None:
    """A session remembers groups; what they may do, the file says now."""
    assert rules(FILE).grants_of(("ai-finance", "gone")) == (Grant("reader", frozenset({"acme", "globex"})),)
