"""Orders to close a month that a server does, and how far each has come. What is closed is in `period_store`."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, text, update

from rice_stream.canonical_json import canonical_json
from rice_stream.instants import DAY_S, SECOND_US
from rice_stream.store.advisory_locks import AdvisoryLock, hold
from rice_stream.store.audit import Actor
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.schema_periods import closing

ClosingState = Literal["ordered", "running", "done", "failed"]
_TO_DO = ("ordered", "running")


@dataclass(frozen=True, slots=True)
class StoredClosing:
    """An order to close a month, and how far it has come."""

    closing_id: str
    number: int
    tenant_id: str
    month: str
    soft: bool
    accepted: Mapping[str, str]
    """Reasons by the name of a line of the checklist."""
    author: Actor
    state: ClosingState
    step: str
    """What is being done; empty: nothing yet, or nothing any more."""
    records: int | None
    """Of the month that are in its tree so far."""
    records_expected: int | None
    """As totals had it when it was ordered."""
    ordered_us: int
    finished_us: int | None
    problem: str | None
    """Why it failed."""


def add_or_find_closing(
    connection: Connection,
    tenant_id: str,
    month: str,
    *,
    soft: bool,
    accepted: Mapping[str, str],
    expected: int,
    by: Actor,
) -> tuple[StoredClosing, bool]:
    """A new order at the end of the queue, or the one for the same close that still waits or goes on; and whether it is new."""
    if connection.dialect.name == "postgresql":
        hold(connection, AdvisoryLock.ORDER_CLOSINGS)
    waits = closing.c.state.in_(_TO_DO)
    same = (closing.c.tenant_id == tenant_id) & (closing.c.month == month) & (closing.c.soft == int(soft))
    row = connection.execute(select(closing).where(waits, same)).mappings().first()
    if row is not None:
        return closing_of(row), False
    number = 1 + (connection.scalar(select(func.max(closing.c.number))) or 0)
    made_for = {"tenant_id": tenant_id, "month": month, "soft": soft, "number": number}
    values = {
        "closing_id": hashlib.blake2b(canonical_json(made_for), digest_size=16).hexdigest(),
        "number": number,
        "tenant_id": tenant_id,
        "month": month,
        "soft": int(soft),
        "accepted": canonical_json(dict(accepted)).decode(),
        "author_kind": by.kind,
        "author_name": by.name,
        "state": "ordered",
        "step": "",
        "records_expected": expected,
        "ordered_us": database_now_us(connection),
    }
    connection.execute(insert(closing), values)
    return closing_of({"records": None, "finished_us": None, "problem": None, **values}), True


def stored_closing(connection: Connection, closing_id: str) -> StoredClosing | None:
    """The order of an id as it stands; None: there is none."""
    row = connection.execute(select(closing).where(closing.c.closing_id == closing_id)).mappings().first()
    return None if row is None else closing_of(row)


def next_closing(connection: Connection) -> StoredClosing | None:
    """The oldest that a server has to do, or to go on with; None: there is none."""
    query = select(closing).where(closing.c.state.in_(_TO_DO)).order_by(closing.c.number).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else closing_of(row)


def save_step(connection: Connection, closing_id: str, step: str, records: int | None) -> None:
    """What is being done. One that is done or has failed stays so."""
    waits = (closing.c.closing_id == closing_id) & closing.c.state.in_(_TO_DO)
    connection.execute(update(closing).where(waits).values(state="running", step=step, records=records))


def end_closing(connection: Connection, closing_id: str, *, records: int | None = None, problem: str | None) -> None:
    """It is done, with so many records, or has failed for the reason that `problem` says."""
    waits = (closing.c.closing_id == closing_id) & closing.c.state.in_(_TO_DO)
    values: dict[str, Any] = {"state": "done" if problem is None else "failed", "step": "", "problem": problem}
    values |= {"finished_us": database_now_us(connection), **({} if records is None else {"records": records})}
    connection.execute(update(closing).where(waits).values(values))


def prompts_of(connection: Connection, tenant_id: str, low_us: int, high_us: int) -> int:
    """Prompts of the days of UTC that a stretch of time touches, as totals have them."""
    statement = text(
        "SELECT COALESCE(SUM(d.prompts), 0) FROM tenant_day_total d JOIN tenant t ON t.tenant_key = d.tenant_key"
        f" WHERE t.tenant_id = :tenant_id AND d.day_start_s > :low_s - {DAY_S} AND d.day_start_s < :high_s"
    )
    asked = {"tenant_id": tenant_id, "low_s": low_us // SECOND_US, "high_s": -(-high_us // SECOND_US)}
    return int(connection.scalar(statement, asked) or 0)


def closing_of(row: Mapping[Any, Any]) -> StoredClosing:
    """A row of the table."""
    same = ("closing_id", "number", "tenant_id", "month", "state", "step", "records", "records_expected")
    return StoredClosing(
        **{name: row[name] for name in (*same, "ordered_us", "finished_us", "problem")},
        soft=bool(row["soft"]),
        accepted=json.loads(row["accepted"]),
        author=Actor(row["author_kind"], row["author_name"]),
    )
