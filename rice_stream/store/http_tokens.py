"""Tokens of the HTTP server in the database: made, listed, revoked, and read by the server that checks them."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import DBAPIError, TimeoutError

from rice_stream.errors import UsageError
from rice_stream.store import schema
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import batch_failure, reading, writing

ALL_TENANTS = "*"
ROLES = ("admin", "editor", "reader", "auditor", "ingest")
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


@dataclass(frozen=True, slots=True)
class LiveTokens:
    """The tokens that may be used, and the database's time when they were read."""

    tokens: tuple[HttpToken, ...]
    read_at_us: int


def create_token(engine: Engine, token: HttpToken) -> HttpToken:
    """Keep a new token; its `id` is given by the database. UsageError: there is one with this name that may still be used."""
    table = schema.http_token
    with writing(engine) as connection:
        now_us = database_now_us(connection)
        same_name = select(table.c.id).where(table.c.name == token.name, *_live(now_us))
        if (taken := connection.scalar(same_name)) is not None:
            raise UsageError(
                f"there is a token named {token.name!r} (id {taken}): give another name, or revoke that one"
            )
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
        }
        token_id = connection.execute(insert(table).values(**values).returning(table.c.id)).scalar_one()
        return _token(connection.execute(select(table).where(table.c.id == token_id)).mappings().one())


def list_tokens(engine: Engine) -> list[HttpToken]:
    """All tokens ever made, oldest first; those that may not be used any more as well."""
    table = schema.http_token
    with reading(engine) as connection:
        return [_token(row) for row in connection.execute(select(table).order_by(table.c.id)).mappings()]


def live_tokens(engine: Engine) -> LiveTokens:
    """The tokens that are neither revoked nor expired, by the clock of the database.

    StoreUnavailableError: it does not answer. UnexpectedDatabaseError: its role may not read them, say.
    """
    table = schema.http_token
    with _told("the tokens cannot be read"), reading(engine) as connection:
        now_us = database_now_us(connection)
        rows = connection.execute(select(table).where(*_live(now_us))).mappings()
        return LiveTokens(tuple(_token(row) for row in rows), now_us)


def revoke_token(engine: Engine, token_id: int, now_us: int) -> HttpToken:
    """End a token; one that has ended already stays as it is. UsageError: there is none with this id."""
    table = schema.http_token
    with writing(engine) as connection:
        unrevoked = (table.c.id == token_id) & table.c.revoked_at_us.is_(None)
        connection.execute(update(table).where(unrevoked).values(revoked_at_us=now_us))
        row = connection.execute(select(table).where(table.c.id == token_id)).mappings().one_or_none()
    if row is None:
        raise UsageError(f"there is no token with the id {token_id}; see `rice-stream token list`")
    return _token(row)


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


def _token(row: Mapping[Any, Any]) -> HttpToken:
    tenants = json.loads(row["tenants"])
    return HttpToken(
        **{name: row[name] for name in row if name not in ("digest", "tenants", "teams")},
        digest=bytes(row["digest"]),
        tenants=None if tenants == ALL_TENANTS else frozenset(tenants),
        teams=frozenset(json.loads(row["teams"])),
    )
