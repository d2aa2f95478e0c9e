"""Tokens of the HTTP server as the server that checks them reads them: those that may be used, and those that ended last."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Engine, and_, func, select, update
from sqlalchemy.exc import DBAPIError, TimeoutError

from rice_stream.store import schema
from rice_stream.store.audit import Actor, AuditedChange, record_seldom
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import batch_failure, reading, writing
from rice_stream.store.http_tokens import HttpToken, is_live, names_of, only_tenant, token_of

ENDED_KEPT = 1_000
"""Tokens whose use is noticed after they have ended: those that ended last. All others are unknown."""
REFUSALS_NOTED_EVERY_US = 60_000_000
_IDS_MAX = 10_000
"""Ids that one statement changes: SQLite allows a limited number of parameters."""


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


def live_tokens(engine: Engine) -> LiveTokens:
    """The tokens that are neither revoked nor expired, by the clock of the database, and those that ended last.

    StoreUnavailableError: it does not answer. UnexpectedDatabaseError: its role may not read them, say.
    """
    table = schema.http_token
    with _told("the tokens cannot be read"), reading(engine) as connection:
        now_us = database_now_us(connection)
        live = tuple(token_of(row) for row in connection.execute(select(table).where(*is_live(now_us))).mappings())
        columns = table.c.digest, table.c.id, table.c.name, table.c.tenants
        latest = func.coalesce(table.c.revoked_at_us, table.c.expires_at_us).desc()
        over = connection.execute(select(*columns).where(~and_(*is_live(now_us))).order_by(latest).limit(ENDED_KEPT))
        ended = {bytes(digest): EndedToken(one, name, names_of(tenants)) for digest, one, name, tenants in over}
    return LiveTokens(live, now_us, ended)


def note_refused(engine: Engine, token: EndedToken) -> None:
    """Keep in the audit trail that somebody used a token that has ended, once a minute at most. The errors of `live_tokens`."""
    by = Actor("token", f"token {token.id} ({token.name})", token.id)
    change = AuditedChange("token.use_refused", "token", str(token.id), only_tenant(token.tenants))
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
