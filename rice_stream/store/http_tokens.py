"""Tokens of the HTTP server in the database: made, rotated, revoked, and read by the server that checks them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from rice_stream.errors import NotFoundError, UsageError
from rice_stream.instants import rfc3339
from rice_stream.store import schema
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_writing
from rice_stream.store.token_makers import ids_made_with, is_made_with_token, lock_maker

ALL_TENANTS = "*"
ROLES = ("admin", "editor", "reader", "auditor", "ingest")


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
class Revocation:
    """A token that was ended; the ids of those that ended with it, because it made them; and of its live successor."""

    token: HttpToken
    made: tuple[int, ...] = ()
    replaced_by: int | None = None


class TokenConflictError(UsageError):
    """What is asked of a token does not go with what there is: its name is taken, or it has ended, or been replaced."""


class BeyondMakerError(UsageError):
    """A token is to last longer than the one that it is made with."""


def create_token(
    engine: Engine, token: HttpToken, scope: Scope, by: Actor, *, ends_with_maker: bool = False
) -> HttpToken:
    """Keep a new token; its `id` is given by the database.

    One that is made with another token ends with that one at the latest: with `ends_with_maker` its end is put there, else
    BeyondMakerError. TokenConflictError: in the scope there is one with this name that may still be used.
    """
    table = schema.http_token
    with scoped_writing(engine, scope) as connection:
        now_us = database_now_us(connection)
        token = _within_maker(connection, token, by, now_us, ends_with_maker=ends_with_maker)
        same_name = select(table).where(table.c.name == token.name, *is_live(now_us))
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

    A token that replaces itself stays its maker's: where that is a token, its end stays as well.
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
        new = replace(successor(old, now_us), replaces=token_id)
        if by.token_id != token_id:
            new = _within_maker(connection, replace(new, created_by=None), by, now_us, ends_with_maker=True)
        elif is_made_with_token(old.created_by):
            new = replace(new, expires_at_us=old.expires_at_us)
        made = _insert(connection, new, by)
        end_us = now_us + overlap_us
        if old.expires_at_us is None or end_us < old.expires_at_us:
            connection.execute(update(table).where(table.c.id == token_id).values(expires_at_us=end_us))
        else:
            end_us = old.expires_at_us
        before, after = {"expires_at": _instant(old.expires_at_us)}, {"expires_at": _instant(end_us)}
        ends = _change("token.rotate", old, before=before, after=after)
        record(connection, by, [_change("token.create", made, after=_allowed(made)), ends])
        return made


def revoke_token(engine: Engine, token_id: int, scope: Scope, by: Actor) -> Revocation:
    """End a token, and all that were made with it; one that is revoked already stays as it is.

    The token in whose place it was put is another one, and goes on. NotFoundError: there is none with this id in the scope.
    """
    table = schema.http_token
    with scoped_writing(engine, scope) as connection:
        token = _locked(connection, token_id, scope)
        now_us = database_now_us(connection)
        replaced_by = connection.scalar(select(table.c.id).where(table.c.replaces == token_id, *is_live(now_us)))
        if token.revoked_at_us is not None:
            return Revocation(token, replaced_by=replaced_by)
        made = ids_made_with(connection, token_id, is_live(now_us))
        ended = [token, *(_locked(connection, one, scope) for one in made)]
        connection.execute(update(table).where(table.c.id.in_([token_id, *made])).values(revoked_at_us=now_us))
        before, after = {"revoked_at": None}, {"revoked_at": _instant(now_us)}
        record(connection, by, [_change("token.revoke", one, before=before, after=after) for one in ended])
        return Revocation(replace(token, revoked_at_us=now_us), tuple(made), replaced_by)


def is_live(now_us: int) -> tuple[Any, ...]:
    """The conditions of a token that may be used at this time."""
    columns = schema.http_token.c
    return columns.revoked_at_us.is_(None), columns.expires_at_us.is_(None) | (columns.expires_at_us > now_us)


def _within_maker(
    connection: Connection, token: HttpToken, by: Actor, now_us: int, *, ends_with_maker: bool
) -> HttpToken:
    maker = lock_maker(connection, by, now_us)
    if maker.is_over:
        raise TokenConflictError("the token that asks has ended")
    end_us = maker.expires_at_us
    if end_us is None or (token.expires_at_us is not None and token.expires_at_us <= end_us):
        return token
    if not ends_with_maker:
        raise BeyondMakerError(f"expires_days: a token ends with the one that makes it, on {_instant(end_us)}")
    return replace(token, expires_at_us=end_us)


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
        "created_by": token.created_by or str(by),
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
    return AuditedChange(action, "token", str(token.id), only_tenant(token.tenants), before, after)


def only_tenant(tenants: frozenset[str] | None) -> str | None:
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
        tenants=names_of(row["tenants"]),
        teams=frozenset(json.loads(row["teams"])),
    )


def names_of(stored: str) -> frozenset[str] | None:
    """The tenants of a row; None: every one."""
    names = json.loads(stored)
    return None if names == ALL_TENANTS else frozenset(names)
