"""Closed months in the database: marking one while no batch is in flight, and keeping what was made of it.

Functions on a connection are parts of the caller's transaction.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Engine, func, insert, select, update

from rice_stream.canonical_json import canonical_json
from rice_stream.channels.months import Month
from rice_stream.instants import epoch_us
from rice_stream.store import schema
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.checkpoint_store import StoredCheckpoint
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.period_leaves import MonthBounds, leaf_columns
from rice_stream.store.retention_state import changing_state
from rice_stream.transparency.month_trees import MonthTree

PeriodState = Literal["closing", "soft_closed", "closed"]


@dataclass(frozen=True, slots=True)
class StoredPeriod:
    """A month that is closed or being closed, without its tree. What is made of it is None until then."""

    tenant_key: int
    month: str
    low_us: int
    high_us: int
    state: PeriodState
    marked_us: int
    entries_up_to: int
    code_version: str
    leaf_columns: str
    checklist: str
    marked_by: str
    records: int | None
    entries: int | None
    assertion: str | None
    root: bytes | None
    checkpoint_id: int | None
    soft_closed_us: int | None
    soft_closed_by: str | None
    closed_us: int | None
    closed_by: str | None
    note: str | None
    signed_by: str | None

    @property
    def bounds(self) -> MonthBounds:
        """Which records and entries are part of it."""
        return MonthBounds(self.tenant_key, self.low_us, self.high_us, self.entries_up_to)

    @property
    def columns(self) -> dict[str, list[str]]:
        """What its leaves are made of."""
        columns: dict[str, list[str]] = json.loads(self.leaf_columns)
        return columns


class MonthMark(NamedTuple):
    """What a month is marked with: what was found and accepted before, and by which version."""

    tenant_key: int
    tenant_id: str
    month: Month
    checklist: Sequence[Mapping[str, Any]]
    version: str


def calendar_bounds(connection: Connection, tenant_key: int, month: Month) -> tuple[int, int]:
    """Where a month that is open begins and ends: by the calendar, without gap or overlap to those beside it that are closed.

    The tenant's time zone may have been another one when they were.
    """
    table = schema.period
    ends = select(table.c.high_us).where(table.c.tenant_key == tenant_key, table.c.month == month.previous.name)
    begins = select(table.c.low_us).where(table.c.tenant_key == tenant_key, table.c.month == month.following.name)
    low_us, high_us = connection.scalar(ends), connection.scalar(begins)
    return (
        epoch_us(month.start) if low_us is None else low_us,
        epoch_us(month.end) if high_us is None else high_us,
    )


def find_period(connection: Connection, tenant_key: int, month: str) -> StoredPeriod | None:
    """The month of a tenant; None: it is open."""
    table = schema.period
    row = connection.execute(_periods().where(table.c.tenant_key == tenant_key, table.c.month == month)).first()
    return None if row is None else _stored(row)


def all_periods(connection: Connection) -> list[StoredPeriod]:
    """Those of all tenants, in the order of tenants and months."""
    return [_stored(row) for row in connection.execute(_periods().order_by("tenant_key", "month"))]


def period_of(connection: Connection, tenant_key: int, ended_at_us: int) -> StoredPeriod | None:
    """The closed month that an instant lies in; None: it is open."""
    table = schema.period
    within = (table.c.low_us <= ended_at_us) & (table.c.high_us > ended_at_us)
    row = connection.execute(_periods().where(table.c.tenant_key == tenant_key, within)).first()
    return None if row is None else _stored(row)


def period_tree(connection: Connection, tenant_key: int, month: str) -> MonthTree | None:
    """What is kept of the tree of a month; None: it has none yet."""
    table = schema.period
    columns = [table.c[name] for name in ("root", "frontier", "blocks", "leaf_hashes", "block_starts")]
    query = select(table.c.records, table.c.entries, *columns)
    row = connection.execute(query.where(table.c.tenant_key == tenant_key, table.c.month == month)).first()
    if row is None or row.root is None:
        return None
    kept = None if row.leaf_hashes is None else bytes(row.leaf_hashes)
    joined = bytes(row.frontier), bytes(row.blocks), kept, bytes(row.block_starts)
    return MonthTree(row.records + row.entries + 1, bytes(row.root), *joined)


def mark(engine: Engine, what: MonthMark, by: Actor) -> StoredPeriod:
    """Mark a month as closing, after all batches in flight and before the next; one that is marked already stays as it is.

    StoreUnavailableError: a batch, or somebody who corrects records, did not end within some seconds.
    """
    with changing_state(engine, after_batches=True) as connection:
        month, checklist = what.month.name, list(what.checklist)
        found = find_period(connection, what.tenant_key, month)
        if found is not None:
            return found
        low_us, high_us = calendar_bounds(connection, what.tenant_key, what.month)
        row = {
            "tenant_key": what.tenant_key,
            "month": month,
            "low_us": low_us,
            "high_us": high_us,
            "state": "closing",
            "marked_us": database_now_us(connection),
            "entries_up_to": connection.scalar(select(func.max(schema.adjustment.c.adjustment_key))) or 0,
            "code_version": what.version,
            "leaf_columns": canonical_json(leaf_columns()).decode(),
            "checklist": canonical_json(checklist).decode(),
            "marked_by": str(by),
        }
        connection.execute(insert(schema.period).values(row))
        told = {"low_us": low_us, "high_us": high_us, "checklist": checklist}
        record(connection, by, [AuditedChange("period.mark", "period", month, what.tenant_id, after=told)])
        marked = find_period(connection, what.tenant_key, month)
        assert marked is not None  # noqa: S101
        return marked


def save_tree(connection: Connection, period: StoredPeriod, tree: MonthTree, records: int, assertion: str) -> None:
    """Keep what was made of a month; what is there already is the same."""
    values = {
        "records": records,
        "entries": tree.size - records - 1,
        "assertion": assertion,
        "root": tree.root_hash,
        **{name: getattr(tree, name) for name in ("frontier", "blocks", "leaf_hashes", "block_starts")},
    }
    connection.execute(update(schema.period).where(_is(period), schema.period.c.root.is_(None)).values(values))


def save_state(
    connection: Connection, period: StoredPeriod, state: PeriodState, by: Actor, signed: StoredCheckpoint | None = None
) -> bool:
    """The month is closed, softly or for good; False: it was so before."""
    at_us = database_now_us(connection)
    before = ("closing",) if state == "soft_closed" else ("closing", "soft_closed")
    values: dict[str, Any] = {"state": state, f"{state}_us": at_us, f"{state}_by": str(by)}
    if signed is not None:
        values |= {"checkpoint_id": signed.id, "note": signed.note, "signed_by": signed.signed_by}
    changed = update(schema.period).where(_is(period), schema.period.c.state.in_(before)).values(values)
    return connection.execute(changed).rowcount == 1


def _is(period: StoredPeriod) -> Any:
    return (schema.period.c.tenant_key == period.tenant_key) & (schema.period.c.month == period.month)


def _periods() -> Any:
    return select(*(schema.period.c[each.name] for each in fields(StoredPeriod)))


def _stored(row: Any) -> StoredPeriod:
    values = row._asdict()
    return StoredPeriod(**{**values, "root": None if values["root"] is None else bytes(values["root"])})
