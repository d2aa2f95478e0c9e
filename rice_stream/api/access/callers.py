"""Those who call: who each of them is, what each may do to whose data, and how much of the server each may take up."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from rice_stream.api.access.rights import RIGHTS, Grant, Right
from rice_stream.api.access.shares import Share, share_of_everything, share_of_token
from rice_stream.store.http_tokens import HttpToken
from rice_stream.store.scope import Scope

CallerKind = Literal["token", "session", "oidc", "operator", "local"]
"""`operator` has RICE_HTTP_TOKEN; `local` is this machine where there is no token at all."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever a request comes from."""

    name: str
    """For logs, the audit trail and what is kept of refused items; never the token."""
    kind: CallerKind
    grants: tuple[Grant, ...]
    share: Share = field(compare=False)
    token_id: int | None = None

    def may(self, right: Right) -> bool:
        """Whether any grant has the right, for whatever tenants."""
        return any(right in RIGHTS[grant.role] for grant in self.grants)

    def scope(self, right: Right) -> Scope:
        """Whose data the right is for."""
        return combined(Scope(grant.tenants, grant.teams) for grant in self.grants if right in RIGHTS[grant.role])

    def grant(self, right: Right) -> Grant:
        """The right with its scope, in the role that gives most."""
        scope = self.scope(right)
        role = next(grant.role for grant in self.grants if right in RIGHTS[grant.role])
        return Grant(role, scope.tenants, scope.teams)


def combined(scopes: Iterable[Scope]) -> Scope:
    """Several scopes as one that allows nothing that none of them allows.

    Tenants of scopes with the same teams are put together, and so are teams of the same tenants. Of what then remains the
    one for most is taken: a scope cannot say "all of this tenant, one team of that".
    """
    by_teams: dict[frozenset[str], frozenset[str] | None] = {}
    for scope in scopes:
        before = by_teams.get(scope.teams, frozenset())
        by_teams[scope.teams] = None if before is None or scope.tenants is None else before | scope.tenants
    by_tenants: dict[frozenset[str] | None, frozenset[str]] = {}
    for teams, tenants in by_teams.items():
        others = by_tenants.get(tenants)
        by_tenants[tenants] = teams if others is None else teams | others if teams and others else frozenset()
    if not by_tenants:
        return Scope(frozenset())
    tenants, teams = max(by_tenants.items(), key=_breadth)
    return Scope(tenants, teams)


def _breadth(item: tuple[frozenset[str] | None, frozenset[str]]) -> tuple[bool, bool, int, int, list[str]]:
    tenants, teams = item
    return tenants is None, not teams, len(tenants or ()), len(teams), sorted(tenants or ())


def caller_of_token(token: HttpToken, requests_per_s: float) -> Caller:
    """The caller with a token of the database; `requests_per_s` where the token does not say."""
    share = share_of_token(token.requests_per_s or requests_per_s, token.concurrency)
    grants = (Grant(token.role, token.tenants, token.teams),)
    return Caller(f"token {token.id} ({token.name})", "token", grants, share, token.id)


def operator(requests_per_s: float) -> Caller:
    """The caller with RICE_HTTP_TOKEN, who sends events of every tenant."""
    return Caller("RICE_HTTP_TOKEN", "operator", (Grant("ingest"),), share_of_everything(requests_per_s))


def local(requests_per_s: float) -> Caller:
    """The caller on loopback without a token, where there is none."""
    return Caller("loopback", "local", (Grant("ingest"),), share_of_everything(requests_per_s))
