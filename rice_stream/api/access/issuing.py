"""Making tokens, for the command line and the API alike: what may be asked for, how long it lasts, and the secret shown once."""

import time
from dataclasses import dataclass, replace

from rice_stream.api.access.secrets import digest_of, new_token, prefix_of
from rice_stream.errors import UsageError
from rice_stream.quantities import NAME_LENGTH_MAX, is_storable
from rice_stream.store.audit import Actor
from rice_stream.store.engine import Engine
from rice_stream.store.http_tokens import ALL_TENANTS, HttpToken, create_token, rotate_token
from rice_stream.store.scope import Scope

LASTS_DAYS = 90.0
"""How long a token lasts where nobody says; one that only sends events has no end then."""
LASTS_DAYS_MAX = 36_500
OVERLAP_HOURS = 24.0
"""How long a token goes on beside the one that replaces it."""
OVERLAP_HOURS_MAX = 720
ENDLESS_ROLE = "ingest"
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US


@dataclass(frozen=True, slots=True)
class AskedToken:
    """What somebody wants a token for. `tenants` None: every tenant; `teams` empty: every team; limits None: the server's."""

    name: str
    role: str
    tenants: frozenset[str] | None = None
    teams: frozenset[str] = frozenset()
    expires_days: float | None = None
    requests_per_s: float | None = None
    concurrency: int | None = None

    def check(self) -> None:
        """UsageError: a name that cannot be one, or no tenant at all."""
        for field, names in (("name", {self.name}), ("tenant", self.tenants or ()), ("team", self.teams)):
            for name in names:
                if not name.strip() or len(name) > NAME_LENGTH_MAX or not is_storable(name):
                    raise UsageError(
                        f"--{field}: must have 1 to {NAME_LENGTH_MAX} characters, no NUL and no half of a surrogate pair"
                    )
        if self.tenants is not None and not self.tenants:
            raise UsageError(f"--tenant: name a tenant, or {ALL_TENANTS} for every one")


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token that was just made: the only time that its secret is known."""

    secret: str
    token: HttpToken

    @property
    def warning(self) -> str | None:
        """What whoever made it should know."""
        if self.token.expires_at_us is None:
            return "it never expires: whoever finds it can send events until somebody revokes it; prefer an end"
        return None


def issue(engine: Engine, asked: AskedToken, scope: Scope, by: Actor) -> IssuedToken:
    """Make a token, for whoever has the scope.

    UsageError: see `AskedToken.check`; BeyondMakerError: it would last longer than the token that makes it;
    TokenConflictError: there is one of this name that may be used.
    """
    asked.check()
    now_us = time.time_ns() // 1000
    secret = new_token(asked.role)
    token = HttpToken(
        id=0,
        name=asked.name,
        role=asked.role,
        prefix=prefix_of(secret),
        digest=digest_of(secret),
        tenants=asked.tenants,
        teams=asked.teams,
        requests_per_s=asked.requests_per_s,
        concurrency=asked.concurrency,
        created_at_us=now_us,
        expires_at_us=_end_us(asked.role, asked.expires_days, now_us),
    )
    made = create_token(engine, token, scope, by, ends_with_maker=asked.expires_days is None)
    return IssuedToken(secret, made)


def rotate(engine: Engine, token_id: int, scope: Scope, by: Actor, *, overlap_hours: float) -> IssuedToken:
    """Make a token that allows the same and lasts as long as another did; that one goes on for `overlap_hours` at most.

    NotFoundError: there is none with this id in the scope; TokenConflictError: it has ended, or been replaced already.
    """
    secrets: list[str] = []

    def successor(old: HttpToken, now_us: int) -> HttpToken:
        secrets.append(new_token(old.role))
        lasts_us = None if old.expires_at_us is None else old.expires_at_us - old.created_at_us
        return replace(
            old,
            prefix=prefix_of(secrets[-1]),
            digest=digest_of(secrets[-1]),
            created_at_us=now_us,
            expires_at_us=_end_us(old.role, None, now_us) if lasts_us is None else now_us + lasts_us,
        )

    token = rotate_token(engine, token_id, scope, by, successor=successor, overlap_us=round(overlap_hours * _HOUR_US))
    return IssuedToken(secrets[-1], token)


def _end_us(role: str, expires_days: float | None, now_us: int) -> int | None:
    if expires_days is None and role == ENDLESS_ROLE:
        return None
    return now_us + round((LASTS_DAYS if expires_days is None else expires_days) * _DAY_US)
