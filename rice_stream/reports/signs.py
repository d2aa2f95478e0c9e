"""Signs by which somebody can tell that what they see has changed: of each kind of thing one, which says nothing of amounts."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, select

from rice_stream.channels.definition import OPEN_STATES
from rice_stream.instants import SECOND_US, epoch_s, epoch_us, in_utc, rfc3339
from rice_stream.reports.alerts import alerts_in
from rice_stream.reports.channels import channels_seen
from rice_stream.reports.meta import watermark_question, watermark_statement
from rice_stream.store import schema
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.delivery_claims import is_overdue
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.prepared import Statement, rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, team_in, tenant_id_in, tenant_key_in
from rice_stream.store.scoped import keep_found, scoped_reading

KINDS = ("totals", "alerts", "budgets", "quarantine", "deliveries")
WATCHED = timedelta(days=62)
"""Totals of days before are not looked at: this month and the one before are what pages show by themselves."""
_DIGITS = 12
_SUMS = "COUNT(*), COALESCE(SUM({t}.prompts), 0), COALESCE(SUM({t}.carbon_mid_ugco2e), 0), COALESCE(SUM({t}.carbon_high_ugco2e), 0)"


class Signs(NamedTuple):
    """One sign for each of KINDS, and the start of the latest minute with prompts; None: there are none."""

    of: tuple[str, ...]
    watermark: str | None

    @property
    def id(self) -> str:
        """All of them as one text, which has nothing to say but whether it is the same."""
        return ".".join(self.of)

    def changed_since(self, earlier: str | None) -> list[str]:
        """The kinds whose sign is another than in an `id` of before: all of them where that is none."""
        if earlier is None:
            return []
        before = earlier.split(".")
        if len(before) != len(KINDS):
            return list(KINDS)
        return [kind for kind, now, then in zip(KINDS, self.of, before, strict=True) if now != then]


def signs(engine: Engine, scope: Scope, now: datetime) -> Signs:
    """Of what the scope sees: nothing of anybody else changes them."""
    with scoped_reading(engine, scope) as connection:
        return _read(connection, scope, now, rows_of(connection, *_asked(connection, scope, now)))


def signs_later(engine: Engine, scope: Scope, now: datetime) -> Callable[[], Signs]:
    """The same, once: asked now, and waited for when it is called (`asked_ahead`)."""
    with scoped_reading(engine, scope) as connection:
        rows = rows_later(connection, *_asked(connection, scope, now))

    def read() -> Signs:
        with scoped_reading(engine, scope) as connection:
            return _read(connection, scope, now, rows())

    return read


def _asked(connection: Connection, scope: Scope, now: datetime) -> tuple[Statement, dict[str, Any]]:
    looks = [watermark_statement(scope), _totals(scope), _alerts(connection, scope), _budgets(scope), _CHANNELS]
    if scope.is_everything:
        looks.append(_OF_ALL)
    # Each finds one row: all of them come at once.
    asked = statement("SELECT * FROM " + ", ".join(f"({look}) look_{place}" for place, look in enumerate(looks)))
    return asked, {**scope_parameters(scope), "since_s": epoch_s(in_utc(now) - WATCHED)}


def _read(connection: Connection, scope: Scope, now: datetime, rows: Sequence[Sequence[Any]]) -> Signs:
    (row,) = rows
    latest_s = row[0]
    keep_found(connection, watermark_question(scope), latest_s)
    fare = _deliveries(connection, scope, epoch_us(in_utc(now))) if row[11] else ()
    found = [row[:5], row[5:8], row[8:11], row[12:], fare]
    return Signs(tuple(map(_sign, found)), None if latest_s is None else rfc3339(latest_s * SECOND_US))


def _totals(scope: Scope) -> str:
    """Exact sums of the days: whatever arrives, however late, and whatever is made again changes one of them."""
    if scope.teams:
        whose = f"{tenant_key_in(scope, 'd.tenant_key')} AND {attribution_in(scope, 'd')}"
        table = "day_total"
    else:
        whose, table = tenant_key_in(scope, "d.tenant_key"), "tenant_day_total"
    return f"SELECT {_SUMS.format(t='d')} FROM {table} d WHERE d.day_start_s >= :since_s AND {whose}"


def _alerts(connection: Connection, scope: Scope) -> str:
    return (
        "SELECT COUNT(*), MAX(created_at_us), COUNT(delivered_at_us) FROM alert"
        f" WHERE {alerts_in(scope, connection.dialect.name)}"
    )


def _budgets(scope: Scope) -> str:
    return (
        "SELECT COUNT(*), MAX(b.updated_at_us), MAX(b.id) FROM budget b"
        f" WHERE {tenant_id_in(scope, 'b.tenant_id')} AND {team_in(scope, 'b.team_id')}"
    )


_CHANNELS = "SELECT COUNT(*) FROM channel"
"""Where there are none, nothing more need be asked of them."""
_OF_ALL = "SELECT (SELECT MAX(id) FROM quarantine), (SELECT MAX(id) FROM audit_entry)"
"""Refused items, and what was changed by hand: replaying and dropping are among it."""


def _deliveries(connection: Connection, scope: Scope, now_us: int) -> Sequence[object]:
    """How channels fare, and what is open: whatever begins, is tried, ends or is asked for again changes one of these, and so does
    that nobody sends."""
    channels = [row for row, _ in channels_seen(connection, scope)]
    if not channels:
        return ()
    table = schema.delivery.c
    waiting = select(func.count(), func.sum(table.id), func.sum(table.attempts), func.sum(table.next_at_us / SECOND_US))
    own = table.channel_id.in_([row["id"] for row in channels])
    waiting = waiting.where(table.state.in_(OPEN_STATES), own)
    overdue = select(func.count()).where(is_overdue(now_us), own)
    fare = [row[name] for row in channels for name in ("id", "updated_at_us", "last_done_at_us", "failing_since_us")]
    return (
        *fare,
        *(row["state"] != "ok" for row in channels),
        *connection.execute(waiting).one(),
        connection.scalar(overdue),
    )


def _sign(row: Sequence[Any]) -> str:
    # PostgreSQL sums BIGINT as NUMERIC.
    said = ",".join("" if value is None else str(int(value)) for value in row)
    return hashlib.sha256(said.encode()).hexdigest()[:_DIGITS]
