"""Requests that may be repeated without being done twice: what each was answered, by its caller's Idempotency-Key."""

from enum import Enum
from typing import NamedTuple

from sqlalchemy import delete, select, update

from rice_stream.instants import DAY_US, SECOND_US
from rice_stream.store import schema
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import scoped_writing
from rice_stream.store.statements import insert_ignoring

KEPT_US = DAY_US
WORKED_ON_US = 60 * SECOND_US
"""A request that has no answer after so long has none: its server is gone."""


class KeyedRequest(NamedTuple):
    """Who asked, by which key, and the digest of what was asked."""

    caller: str
    key: str
    digest: bytes


class Answered(NamedTuple):
    """What the first request of the key was answered: status, and the body as text."""

    status: int
    answer: str


class Claim(Enum):
    """What became of a request's key where it has no answer yet."""

    OURS = "ours"
    WORKED_ON = "worked on"
    ANOTHER_REQUEST = "another request"


def claim(engine: Engine, request: KeyedRequest) -> Claim | Answered:
    """Take the key for the request; or say what is in its way. StoreUnavailableError: the database did not do it."""
    table = schema.idempotency_key
    same = (table.c.caller == request.caller) & (table.c.key == request.key)
    with scoped_writing(engine, EVERYTHING) as connection:
        now_us = database_now_us(connection)
        unanswered = table.c.status.is_(None) & (table.c.created_at_us < now_us - WORKED_ON_US)
        connection.execute(delete(table).where((table.c.created_at_us < now_us - KEPT_US) | unanswered))
        values = {**request._asdict(), "created_at_us": now_us}
        made = insert_ignoring(table, connection.dialect.name).values(**values).returning(table.c.key)
        if connection.scalar(made) is not None:
            return Claim.OURS
        row = connection.execute(select(table.c.digest, table.c.status, table.c.answer).where(same)).one()
    if bytes(row.digest) != request.digest:
        return Claim.ANOTHER_REQUEST
    return Claim.WORKED_ON if row.status is None else Answered(row.status, row.answer)


def settle(engine: Engine, request: KeyedRequest, answered: Answered | None) -> None:
    """Keep the answer; None gives the key back, so that the request may be tried again."""
    table = schema.idempotency_key
    same = (table.c.caller == request.caller) & (table.c.key == request.key) & (table.c.digest == request.digest)
    with scoped_writing(engine, EVERYTHING) as connection:
        if answered is None:
            connection.execute(delete(table).where(same, table.c.status.is_(None)))
        else:
            connection.execute(update(table).where(same).values(**answered._asdict()))
