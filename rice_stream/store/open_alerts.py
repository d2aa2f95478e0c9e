"""Alerts that are still true: announced, and nothing has changed of their threshold since."""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, RowMapping, exists, select

from rice_stream.instants import parse_instant
from rice_stream.store import schema

_BUDGETS_AT_ONCE = 250


class OpenAlert(NamedTuple):
    """An alert that nothing has followed. `event` is its CloudEvent."""

    id: str
    tenant_id: str
    budget_id: int
    budget: str
    event: Mapping[str, Any]

    @property
    def threshold(self) -> float:
        """The one that was crossed."""
        return float(self.event["data"]["threshold"])

    @property
    def is_early(self) -> bool:
        """Whether it warns of what has not come yet."""
        return bool(self.event["data"]["basis"] != "actual")


def open_alerts(connection: Connection, now: datetime) -> list[OpenAlert]:
    """The crossings that hold, of budgets that there are, in the order in which they were announced.

    Of a period that is over nothing holds, also where nobody has judged it since.
    """
    budget, state = schema.budget.c, schema.budget_state.c
    # Most budgets are in no alarm: their states say so, and their alerts, of years perhaps, need not be looked at.
    in_alarm = state.state.not_like('%"active": []%') | state.state.like('%"warnings": [%')
    query = select(budget.id).join(schema.budget_state, state.budget_id == budget.id).where(in_alarm)
    ids = list(connection.scalars(query.order_by(budget.id)))
    alert = schema.alert
    same = (alert.c.tenant_id == budget.tenant_id) & (alert.c.budget_id == budget.id)
    found: list[OpenAlert] = []
    for first in range(0, len(ids), _BUDGETS_AT_ONCE):
        these = budget.id.in_(ids[first : first + _BUDGETS_AT_ONCE])
        chosen = select(alert).join(schema.budget, same).where(these, alert.c.state != "resolved", ~_is_followed())
        found += _read(connection.execute(chosen.order_by(alert.c.budget_id, alert.c.sequence)).mappings())
    return [each for each in found if not _is_past(each, now)]


def still_true(connection: Connection, alert_ids: Collection[str | None], now: datetime) -> set[str]:
    """Which of these alerts are: nothing has followed them, their budget is there, and their period, of a crossing, is not over."""
    ids = sorted(each for each in alert_ids if each is not None)
    if not ids:
        return set()
    alert, budget = schema.alert, schema.budget
    has_budget = exists().where(budget.c.id == alert.c.budget_id)
    query = select(alert).where(alert.c.id.in_(ids), has_budget, ~_is_followed())
    return {each.id for each in _read(connection.execute(query).mappings()) if not _is_past(each, now)}


def _is_followed() -> ColumnElement[bool]:
    alert, later = schema.alert, schema.alert.alias("later")
    # An early warning may have the threshold of a crossing: that it is over says nothing about the crossing.
    of_one = ("tenant_id", "budget_id", "period_start_us", "threshold", "basis")
    same = (later.c[name] == alert.c[name] for name in of_one)
    return exists().where(*same, later.c.sequence > alert.c.sequence)


def _read(rows: Iterable[RowMapping]) -> list[OpenAlert]:
    return [
        OpenAlert(row["id"], row["tenant_id"], row["budget_id"], row["budget"], json.loads(row["event"]))
        for row in rows
    ]


def _is_past(each: OpenAlert, now: datetime) -> bool:
    data = each.event["data"]
    is_crossing, is_calendar = data["state"] != "resolved", not data["period"].startswith("rolling")
    return is_crossing and is_calendar and parse_instant(data["period_end"]) <= now
