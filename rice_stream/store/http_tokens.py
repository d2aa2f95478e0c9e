"""Tokens of the HTTP server in the database: made, rotated, revoked, and read by the server that checks them."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Engine, and_, func, insert, select, update
from sqlalchemy.exc import DBAPIError, TimeoutError

from rice_stream.errors import NotFoundError, UsageError
from rice_stream.instants import rfc3339
from rice_stream.store import schema
from rice_stream.store.audit import Actor, AuditedChange, record, record_seldom
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import batch_failure, reading, writing
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_writing

ALL_TENANTS = "*"
ROLES = ("admin", "editor", "reader", "auditor", "ingest")
ENDED_KEPT = 1_000
"""Tokens whose use is noticed after they have ended: those that ended last. All others are unknown."""
REFUSALS_NOTED_EVERY_US = 60_000_000
_IDS_MAX = 10_000
"""Ids that one statement changes: SQLite allows a limited number of parameters."""


@dataclass(frozen=True, slots=True)
class HttpToken:
    """What a token allows. `tenants` None: every tenant; `teams` empty: every team of them; limits None: the server's own."""

    id: int
    name: str
    role: str
    prefix: str
    digest: bytes
    tenants: frozenset[str] | None
    teams: frozenset[str]
    requests_per_s: float | None
    concurrency: int | None
    created_at_us: int
    expires_at_us: int | None
    revoked_at_us: int | None = None
    last_used_at_us: int | None = None
    created_by: str | None = None
    """Who made it, as the audit trail names them."""
    replaces: int | None = None
    """The id of the token that it was made in the place of."""

    def is_live(self, now_us: int) -> bool:
        """Whether it may be used at this time."""
        return self.revoked_at_us is None and (self.expires_at_us is None or now_us < self.expires_at_us)

    def is_within(self, scope: Scope) -> bool:
        """Whether everything that it is for is in the scope: to others it is not there."""
        if scope.tenants is not None and (self.tenants is None or not self.tenants <= scope.tenants):
            return False
        return not scope.teams or bool(self.teams and self.teams <= scope.teams)


@dataclass(frozen=True, slots=True)
class EndedToken:
    """A token that may not be used any more, so that somebody who uses it is noticed."""

    id: int
    name: str
    tenants: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class LiveTokens:
    """The tokens that may be used, and the database's time when they were read; those that ended last, by digest."""

    tokens: tuple[HttpToken, ...]
    read_at_us: int
    ended: Mapping[bytes, EndedToken] = field(default_factory=dict)


class TokenConflictError(UsageError):
    """What is asked of a token does not go with what there is: its name is taken, or it has ended, or been replaced."""


def create_token(engine: Engine, token: HttpToken, scope: Scope, by: Actor) -> HttpToken:
    """Keep a new token; its `id` is given by the database.

    TokenConflictError: in the scope there is one with this name that may still be used.
    """
    table = schema.http_token
    with scoped_writing(engine, scope) as connection:
        same_name = select(table).where(table.c.name == token.name, *_live(database_now_us(connection)))
        for other in map(token_of, connection.execute(same_name).mappings()):
            if other.is_within(scope):
                raise TokenConflictError(
                    f"there is a token named {token.name!r} (id {other.id}): give another name, or revoke that one"
                )
        made = _insert(connection, token, by)
        record(connection, by, [_change("token.create", made, after=_allowed(made))])
        return made


def rotate_token(
    engine: Engine,
    token_id: int,
    scope: Scope,
    by: Actor,
    *,
    successor: Callable[[HttpToken, int], HttpToken],
    overlap_us: int,
) -> HttpToken:
    """Make a token in the place of another, which goes on for `overlap_us` at most; returns the new one.

    `successor` gives the new token for the old one and the time of the database. NotFoundError: there is none with this id in
    the scope; TokenConflictError: it has ended, or been replaced already.
    """
    table = schema.http_token
    with scoped_writing(engine, scope) as connection:
        now_us = database_now_us(connection)
        old = _locked(connection, token_id, scope)
        if not old.is_live(now_us):
            raise TokenConflictError(f"token {token_id} has ended: make a new one with `rice-stream token create`")
        successors = select(table.c.id).where(table.c.replaces == token_id, table.c.revoked_at_us.is_(None))
        if (there := connection.scalar(successors)) is not None:
            raise TokenConflictError(f"token {token_id} has been replaced by token {there} already: rotate that one")
        made = _insert(connection, replace(successor(old, now_us), replaces=token_id), by)
        end_us = now_us + overlap_us
        if old.expires_at_us is None or end_us < old.expires_at_us:
            connection.execute(update(table).where(table.c.id == token_id).values(expires_at_us=end_us))
        else:
            end_us = old.expires_at_us
        before, after = {"expires_at": _instant(old.expires_at_us)}, {"expires_at": _instant(end_us)}
        ends = _change("token.rotate", old, before=before, after=after)
        record(connection, by, [_change("token.create", made, after=_allowed(made)), ends])
        return made


def live_tokens(engine: Engine) -> LiveTokens:
    """The tokens that are neither revoked nor expired, by the clock of the database, and those that ended last.

    StoreUnavailableError: it does not answer. UnexpectedDatabaseError: its role may not read them, say.
    """
    table = schema.http_token
    with _told("the tokens cannot be read"), reading(engine) as connection:
        now_us = database_now_us(connection)
        live = tuple(token_of(row) for row in connection.execute(select(table).where(*_live(now_us))).mappings())
        columns = table.c.digest, table.c.id, table.c.name, table.c.tenants
        latest = func.coalesce(table.c.revoked_at_us, table.c.expires_at_us).desc()
        over = connection.execute(select(*columns).where(~and_(*_live(now_us))).order_by(latest).limit(ENDED_KEPT))
        ended = {bytes(digest): EndedToken(one, name, _names(tenants)) for digest, one, name, tenants in over}
    return LiveTokens(live, now_us, ended)


def revoke_token(engine: Engine, token_id: int, scope: Scope, by: Actor) -> HttpToken:
    """End a token; one that is revoked already stays as it is. NotFoundError: there is none with this id in the scope."""
    table = schema.http_token
    with scoped_writing(engine, scope) as connection:
        token = _locked(connection, token_id, scope)
        if token.revoked_at_us is not None:
            return token
        now_us = database_now_us(connection)
        connection.execute(update(table).where(table.c.id == token_id).values(revoked_at_us=now_us))
        after = {"revoked_at": _instant(now_us)}
        record(connection, by, [_change("token.revoke", token, before={"revoked_at": None}, after=after)])
        return replace(token, revoked_at_us=now_us)


def note_refused(engine: Engine, token: EndedToken) -> None:
    """Keep in the audit trail that somebody used a token that has ended, once a minute at most. The errors of `live_tokens`."""
    by = Actor("token", f"token {token.id} ({token.name})", token.id)
    change = AuditedChange("token.use_refused", "token", str(token.id), _only(token.tenants))
    with _told("the use of an ended token cannot be noted"), writing(engine) as connection:
        record_seldom(connection, by, change, within_us=REFUSALS_NOTED_EVERY_US)


def mark_used(engine: Engine, ids: Collection[int], now_us: int) -> None:
    """Note that the tokens have been used. The same errors as `live_tokens`."""
    table = schema.http_token
    chosen = sorted(ids)
    with _told("the use of tokens cannot be noted"), writing(engine) as connection:
        for first in range(0, len(chosen), _IDS_MAX):
            some = table.c.id.in_(chosen[first : first + _IDS_MAX])
            connection.execute(update(table).where(some).values(last_used_at_us=now_us))


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Every error of the database as one of ours: a server must not end because of one."""
    try:
        yield
    except (DBAPIError, TimeoutError) as error:  # TimeoutError: all connections hang already
        raise batch_failure(what, error) from error


def _live(now_us: int) -> tuple[Any, ...]:
    columns = schema.http_token.c
    return columns.revoked_at_us.is_(None), columns.expires_at_us.is_(None) | (columns.expires_at_us > now_us)


def _insert(connection: Connection, token: HttpToken, by: Actor) -> HttpToken:
    table = schema.http_token
    values = {
        "name": token.name,
        "role": token.role,
        "prefix": token.prefix,
        "digest": token.digest,
        "tenants": json.dumps(ALL_TENANTS if token.tenants is None else sorted(token.tenants)),
        "teams": json.dumps(sorted(token.teams)),
        "requests_per_s": token.requests_per_s,
        "concurrency": token.concurrency,
        "created_at_us": token.created_at_us,
        "expires_at_us": token.expires_at_us,
        "created_by": str(by),
        "replaces": token.replaces,
    }
    return token_of(connection.execute(insert(table).values(**values).returning(*table.c)).mappings().one())


def _locked(connection: Connection, token_id: int, scope: Scope) -> HttpToken:
    table = schema.http_token
    query = select(table).where(table.c.id == token_id).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    token = None if row is None else token_of(row)
    if token is None or not token.is_within(scope):
        raise NotFoundError(f"there is no token with the id {token_id}; see `rice-stream token list`")
    return token


def _change(
    action: str,
    token: HttpToken,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditedChange:
    return AuditedChange(action, "token", str(token.id), _only(token.tenants), before, after)


def _only(tenants: frozenset[str] | None) -> str | None:
    """The tenant where it is one."""
    return next(iter(tenants)) if tenants is not None and len(tenants) == 1 else None


def _allowed(token: HttpToken) -> dict[str, Any]:
    """What the audit trail says of a token: nothing by which it could be told from others that are sent."""
    return {
        "name": token.name,
        "role": token.role,
        "tenants": ALL_TENANTS if token.tenants is None else sorted(token.tenants),
        "teams": sorted(token.teams),
        "requests_per_s": token.requests_per_s,
        "concurrency": token.concurrency,
        "expires_at": _instant(token.expires_at_us),
        "replaces": token.replaces,
    }


def _instant(moment_us: int | None) -> str | None:
    return None if moment_us is None else rfc3339(moment_us)


def token_of(row: Mapping[Any, Any]) -> HttpToken:
    """A row of the table."""
    return HttpToken(
        **{name: row[name] for name in row if name not in ("digest", "tenants", "teams")},
        digest=bytes(row["digest"]),
        tenants=_names(row["tenants"]),
        teams=frozenset(json.loads(row["teams"])),
    )


def _names(stored: str) -> frozenset[str] | None:
    names = json.loads(stored)
    return None if names == ALL_TENANTS else frozenset(names)
