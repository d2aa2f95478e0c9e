"""What the groups of a provider's users may do here: the claims file, and the grants of one token by it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rice_stream.api.access.rights import RIGHTS, Grant
from rice_stream.errors import UsageError
from rice_stream.quantities import is_storable

DEFAULT_CLAIM = "groups"
ALL = "*"
_GROUPS_MAX = 10_000
"""Groups of one token that are looked at."""


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """`claim` is where a token says its groups; a full stop leads into an object (`realm_access.roles`)."""

    claim: str = DEFAULT_CLAIM
    groups: Mapping[str, Grant] = field(default_factory=dict)

    def groups_of(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """The groups of the token that the file names, in the file's order."""
        found = self._said(claims)
        names = {found} if isinstance(found, str) else _texts(found)
        return tuple(name for name in self.groups if name in names)

    def grants_of(self, groups: tuple[str, ...]) -> tuple[Grant, ...]:
        """What these groups may do, in the file's order; groups that it does not name may do nothing."""
        return tuple(grant for name, grant in self.groups.items() if name in groups)

    def _said(self, claims: Mapping[str, Any]) -> object:
        # A claim may have a full stop in its own name, as those that are named by an address do.
        if self.claim in claims:
            return claims[self.claim]
        found: object = claims
        for part in self.claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found


def _texts(found: object) -> set[str]:
    if not isinstance(found, list):
        return set()
    return {name for name in found[:_GROUPS_MAX] if isinstance(name, str)}


def parse_claim_rules(loaded: object, file: str) -> ClaimRules:
    """The rules of a loaded claims file. UsageError: one message that lists every problem, each with file and field."""
    if not isinstance(loaded, Mapping):
        raise UsageError(f"{file}: must be a mapping with the key 'groups'")
    problems = [f"{name}: is no field; there are 'claim' and 'groups'" for name in loaded if name not in _FIELDS]
    claim = loaded.get("claim", DEFAULT_CLAIM)
    if not isinstance(claim, str) or not claim.strip():
        problems.append(f"claim: must be the name of a claim, got {claim!r}")
    groups: dict[str, Grant] = {}
    entries = loaded.get("groups")
    if not isinstance(entries, Mapping) or not entries:
        problems.append("groups: must be a mapping of names to {role, tenants, teams}, with one group at least")
        entries = {}
    for name, entry in entries.items():
        grant, found = _grant(entry) if isinstance(name, str) and name else (None, ["must be named by a text"])
        problems += [
            f"groups.{name}{problem}" if problem[0] == "." else f"groups.{name}: {problem}" for problem in found
        ]
        if grant is not None:
            groups[name] = grant
    if problems:
        raise UsageError(f"{file}: " + "; ".join(problems))
    return ClaimRules(str(claim), groups)


_FIELDS = ("claim", "groups")
_GROUP_FIELDS = ("role", "tenants", "teams")


def _grant(entry: object) -> tuple[Grant | None, list[str]]:
    """What a group may do, or every problem of it."""
    if not isinstance(entry, Mapping):
        return None, ["must be a mapping {role, tenants, teams}"]
    unknown = [name for name in entry if name not in _GROUP_FIELDS]
    problems = [f".{name}: is no field of a group; there are {', '.join(_GROUP_FIELDS)}" for name in unknown]
    role = entry.get("role")
    if not isinstance(role, str) or role not in RIGHTS:
        problems.append(f".role: must be one of {', '.join(RIGHTS)}, got {role!r}")
    # Written out, so that a forgotten line never means every tenant.
    if "tenants" not in entry:
        problems.append(f".tenants: is missing; name them, or write '{ALL}' for every tenant")
    tenants, tenants_problems = _names(entry.get("tenants", ALL), "tenants")
    teams, teams_problems = _names(entry.get("teams", ALL), "teams")
    problems += tenants_problems + teams_problems
    if problems:
        return None, problems
    return Grant(str(role), tenants, teams or frozenset()), []


def _names(value: object, what: str) -> tuple[frozenset[str] | None, list[str]]:
    if value in (ALL, [ALL]) or (what == "teams" and value == []):
        return None, []
    if not isinstance(value, list) or not value or not all(map(_is_name, value)):
        return None, [f".{what}: must be a list of names, or '{ALL}' for all, got {value!r}"]
    if ALL in value:
        return None, [f".{what}: write '{ALL}' alone, or name them"]
    return frozenset(value), []


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and is_storable(value)
