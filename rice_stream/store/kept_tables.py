"""Reference tables in the database: every version that records were estimated with, so that each can be used again."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, Engine, select

from rice_stream.store import schema
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import reading, writing
from rice_stream.store.statements import insert_ignoring

KEPT = "reference_tables.keep"
"""The action whose entry in the trail tells of a version, with the `sha256` of its content."""
_BY = Actor("worker", "tables of records")
"""Whoever is the first to need them; who ordered that is told by what rests on them."""


class KeptVersion(NamedTuple):
    """A version of the tables, and since when it is kept (epoch microseconds)."""

    version: str
    kept_at_us: int


def keep_tables(engine: Engine, version: str, content: Callable[[], bytes]) -> None:
    """Keep what `content` gives under the version, unless it is there. StoreUnavailableError: the database did not."""
    with reading(engine) as connection:
        if _is_kept(connection, version):
            return
    with writing(engine) as connection:
        if _is_kept(connection, version):
            return
        kept = content()
        row = {"version": version, "content": kept, "kept_at_us": database_now_us(connection)}
        # On PostgreSQL another worker may keep them at the same time.
        inserted = insert_ignoring(schema.reference_tables, connection.dialect.name)
        if connection.execute(inserted.returning(schema.reference_tables.c.version), row).first() is not None:
            told = {"sha256": hashlib.sha256(kept).hexdigest()}
            record(connection, _BY, [AuditedChange(KEPT, "reference_tables", version, after=told)])


def _is_kept(connection: Connection, version: str) -> bool:
    table = schema.reference_tables.c
    return connection.scalar(select(table.version).where(table.version == version)) is not None


def kept_versions(connection: Connection) -> list[KeptVersion]:
    """All of them, in the order in which they came to be used."""
    table = schema.reference_tables.c
    rows = connection.execute(select(table.version, table.kept_at_us).order_by(table.kept_at_us, table.version))
    return [KeptVersion(*row) for row in rows]


def kept_content(connection: Connection, version: str) -> bytes | None:
    """What is kept of a version; None: nothing."""
    table = schema.reference_tables.c
    found = connection.scalar(select(table.content).where(table.version == version))
    return None if found is None else bytes(found)
