"""Checkpoints in the database, and up to which of them each place has been told.

Functions on a connection are parts of the caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, insert, select, update

from rice_stream.store import schema
from rice_stream.store.advisory_locks import AdvisoryLock, hold
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.statements import insert_ignoring
from rice_stream.transparency.merkle import leaf_hash

CheckpointKind = Literal["audit", "month"]


@dataclass(frozen=True, slots=True)
class NewCheckpoint:
    """What a tree is at a size: its signed note, and what is kept of it (see the table)."""

    kind: CheckpointKind
    origin: str
    size: int
    root: bytes
    note: str
    signed_by: str
    frontier: bytes
    blocks: bytes
    leaf_hashes: bytes | None = None


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint without what is kept to go on from it."""

    id: int
    kind: CheckpointKind
    origin: str
    size: int
    root: bytes
    note: str
    signed_by: str
    made_at_us: int


@dataclass(frozen=True, slots=True)
class PlaceState:
    """Up to which checkpoint a place has been told, how often it failed since, when it is tried again, and why it failed."""

    target: str
    checkpoint_id: int
    attempts: int
    failures: int
    next_at_us: int | None
    failing_since_us: int | None
    published_at_us: int | None
    problem: str | None


def hold_checkpoints(connection: Connection) -> None:
    """Nobody else makes a checkpoint until the transaction ends: no tree has two of one size. On SQLite writers are alone."""
    if connection.dialect.name == "postgresql":
        hold(connection, AdvisoryLock.MAKE_CHECKPOINT)


def add_checkpoint(connection: Connection, new: NewCheckpoint) -> StoredCheckpoint:
    """Add the next one of its tree; the transaction holds the lock of checkpoints."""
    table = schema.checkpoint
    number = latest_id(connection) + 1
    values = {column.name: getattr(new, column.name) for column in table.c if column.name not in ("id", "made_at_us")}
    made_at_us = database_now_us(connection)
    connection.execute(insert(table).values(id=number, made_at_us=made_at_us, **values))
    return StoredCheckpoint(number, new.kind, new.origin, new.size, new.root, new.note, new.signed_by, made_at_us)


def latest_checkpoint(connection: Connection, kind: CheckpointKind = "audit") -> tuple[StoredCheckpoint, bytes] | None:
    """The largest one of the kind, with its frontier; None: there is none yet."""
    table = schema.checkpoint
    query = select(table).where(table.c.kind == kind).order_by(table.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else (_stored(row), bytes(row.frontier))


def latest_id(connection: Connection) -> int:
    """Of the checkpoints of all trees; 0: there is none."""
    return connection.scalar(select(func.max(schema.checkpoint.c.id))) or 0


def named_checkpoint(connection: Connection, origin: str, size: int) -> StoredCheckpoint | None:
    """The one of this tree and size; None: there is none."""
    table = schema.checkpoint
    columns = [table.c[name] for name in StoredCheckpoint.__dataclass_fields__]
    row = connection.execute(select(*columns).where(table.c.origin == origin, table.c.size == size)).first()
    return None if row is None else _stored(row)


def checkpoints_after(connection: Connection, checkpoint_id: int, limit: int) -> list[StoredCheckpoint]:
    """Those of all trees, in the order in which they were made."""
    table = schema.checkpoint
    columns = [table.c[name] for name in StoredCheckpoint.__dataclass_fields__]
    query = select(*columns).where(table.c.id > checkpoint_id).order_by(table.c.id).limit(limit)
    return [_stored(row) for row in connection.execute(query)]


def leaf_hashes_after(connection: Connection, entry_id: int, limit: int) -> list[bytes]:
    """The hashes of entries of the audit trail as leaves, in their order: of those that names were erased from, what they were.

    Entries are committed in the order of their numbers: whoever sees one sees all before it, and needs no lock for that.
    """
    table = schema.audit_entry
    query = select(table.c.entry, table.c.erased_leaf).where(table.c.id > entry_id).order_by(table.c.id).limit(limit)
    return [hash_of_entry(row.entry, row.erased_leaf) for row in connection.execute(query)]


def hash_of_entry(entry: bytes, erased_leaf: bytes | None) -> bytes:
    """What an entry is as a leaf of the trail's tree."""
    return leaf_hash(bytes(entry)) if erased_leaf is None else bytes(erased_leaf)


def oldest_uncovered_us(connection: Connection, entry_id: int) -> int | None:
    """When the first entry after this one was made; None: there is none."""
    table = schema.audit_entry
    found: int | None = connection.scalar(select(table.c.at_us).where(table.c.id == entry_id + 1))
    return found


def place_states(connection: Connection) -> list[PlaceState]:
    """Of every place that has been tried."""
    rows = connection.execute(select(schema.checkpoint_target).order_by(schema.checkpoint_target.c.target))
    return [PlaceState(**row) for row in rows.mappings()]


def begin_places(connection: Connection, targets: Sequence[str]) -> None:
    """A place that is new is told of the latest checkpoint, and of all that come after it."""
    latest = latest_id(connection)
    statement = insert_ignoring(schema.checkpoint_target, connection.dialect.name)
    common = {"checkpoint_id": max(latest - 1, 0), "attempts": 0, "failures": 0}
    connection.execute(statement.values([{"target": target, **common} for target in targets]))


def note_published(connection: Connection, target: str, checkpoint_id: int) -> None:
    """The place has this one, and all before it."""
    _change(
        connection,
        target,
        {
            "checkpoint_id": checkpoint_id,
            "attempts": 0,
            "next_at_us": None,
            "failing_since_us": None,
            "problem": None,
            "published_at_us": database_now_us(connection),
        },
    )


def note_unpublished(connection: Connection, state: PlaceState, problem: str, wait_us: int) -> None:
    """The place could not be told; it is tried again after `wait_us`."""
    now_us = database_now_us(connection)
    since = now_us if state.failing_since_us is None else state.failing_since_us
    counted = {"attempts": state.attempts + 1, "failures": state.failures + 1}
    _change(
        connection,
        state.target,
        {**counted, "next_at_us": now_us + wait_us, "failing_since_us": since, "problem": problem},
    )


def _change(connection: Connection, target: str, values: dict[str, object]) -> None:
    connection.execute(
        update(schema.checkpoint_target).where(schema.checkpoint_target.c.target == target).values(values)
    )


def _stored(row: object) -> StoredCheckpoint:
    values = {name: getattr(row, name) for name in StoredCheckpoint.__dataclass_fields__}
    return StoredCheckpoint(**{**values, "root": bytes(values["root"])})
