"""Deliveries: what was sent to each channel, what became of it, and what waits."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, func, or_, select, true

from rice_stream.channels.definition import OPEN_STATES, DeliveryState
from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us, in_utc, rfc3339
from rice_stream.reports.channels import STATES, channels_seen
from rice_stream.reports.pages import PAGE_ROWS, packed, page, unpacked
from rice_stream.reports.windows import TimeBound, bounds_us
from rice_stream.store import schema
from rice_stream.store.delivery_claims import is_overdue
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading

_delivery = schema.delivery.c
_alert = schema.alert.c
_IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries; None: whichever. `since` is when they were stored; days are those of `time_zone`.

    UsageError: there is no such state.
    """

    state: DeliveryState | None = None
    channel: str | None = None
    alert: str | None = None
    tenant: str | None = None
    since: TimeBound = None
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.state is not None and self.state not in STATES:
            raise UsageError(f"state: there is no {self.state!r}; choose from {', '.join(STATES)}")

    def narrowed(self, query: Select[Any]) -> Select[Any]:
        """The query for these alone."""
        for column, wanted in (
            (_delivery.state, self.state),
            (_delivery.channel, self.channel),
            (_delivery.alert_id, self.alert),
            (_delivery.tenant_id, self.tenant),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        if self.since is not None:
            query = query.where(_delivery.created_at_us >= bounds_us(self.since, None, self.time_zone)[0])
        return query


def delivery_page(
    engine: Engine,
    scope: Scope,
    asked: DeliveryFilter | None = None,
    *,
    after: bytes | None = None,
    limit: int = PAGE_ROWS,
) -> dict[str, Any]:
    """One page of deliveries, latest first: `{"rows", "next"}`. UsageError: a position of another list.

    A delivery is seen by those who see its channel; those of a channel that is gone, by those who see everything.
    Rows are `{"id", "alert_id", "channel_id", "channel", "kind", "state", "tenant_id", "severity", "budget", "basis",
    "threshold", "alert_state", "message_id", "attempts", "next_at", "answered_status", "answer_head", "problem", "created_at",
    "first_tried_at", "ended_at", "told_by"}`, times as RFC 3339 text; `next_at` is None where nothing is to come; the four after
    `severity` are of the alert that it is about, where it is about one; `told_by` is the id of the digest that tells of it.
    """
    query = (asked or DeliveryFilter()).narrowed(_with_alerts(scope)).order_by(_delivery.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(_delivery.id < unpacked(after, 1)[0])
    with scoped_reading(engine, scope) as connection:
        found = connection.execute(query.where(_seen(connection, scope))).mappings().all()
    return page(found, limit, lambda row: packed(row["id"]), described_delivery)


def named_deliveries(engine: Engine, scope: Scope, ids: Sequence[int]) -> list[dict[str, Any]]:
    """The deliveries of these ids that the scope sees, in their order, as rows of `delivery_page`."""
    found: dict[int, dict[str, Any]] = {}
    with scoped_reading(engine, scope) as connection:
        seen = _seen(connection, scope)
        for start in range(0, len(ids), _IDS_AT_ONCE):
            query = _with_alerts(scope).where(_delivery.id.in_(ids[start : start + _IDS_AT_ONCE]), seen)
            found |= {row["id"]: described_delivery(row) for row in connection.execute(query).mappings()}
    return [found[number] for number in ids if number in found]


def named_delivery(engine: Engine, scope: Scope, delivery_id: int) -> dict[str, Any] | None:
    """The delivery of this id, as a row of `delivery_page`; None: there is none that the scope sees."""
    query = _with_alerts(scope).where(_delivery.id == delivery_id)
    with scoped_reading(engine, scope) as connection:
        found = connection.execute(query.where(_seen(connection, scope))).mappings().one_or_none()
    return None if found is None else described_delivery(found)


def deliveries_of_alerts(engine: Engine, scope: Scope, alert_ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """What became of each of these alerts on each channel, as rows of `delivery_page`: by the alert's id, earliest first."""
    ids = sorted(set(alert_ids))
    found: dict[str, list[dict[str, Any]]] = {alert_id: [] for alert_id in ids}
    if not ids:
        return found
    with scoped_reading(engine, scope) as connection:
        seen = _seen(connection, scope)
        for start in range(0, len(ids), _IDS_AT_ONCE):
            query = _with_alerts(scope).where(_delivery.alert_id.in_(ids[start : start + _IDS_AT_ONCE]), seen)
            for row in connection.execute(query.order_by(_delivery.id)).mappings():
                found[row["alert_id"]].append(described_delivery(row))
    return found


def with_deliveries(engine: Engine, scope: Scope, alerts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The alerts, each with `deliveries`: `[{"id", "channel", "kind", "state"}]` on the channels that the scope sees."""
    found = deliveries_of_alerts(engine, scope, [alert["id"] for alert in alerts])
    told = ("id", "channel", "kind", "state")
    return [
        {**alert, "deliveries": [{name: row[name] for name in told} for row in found[alert["id"]]]} for alert in alerts
    ]


def delivery_health(engine: Engine, scope: Scope, now: datetime) -> dict[str, Any]:
    """Whether deliveries go out: `{"channels", "failing", "disabled", "overdue", "overdue_since", "held", "held_until"}`.

    `channels` is how many there are besides Kafka; `failing` and `disabled` are names. `overdue` counts deliveries that a
    server should have taken more than a minute ago, and none has: no server sends; `overdue_since` is when the first of them
    was to be sent.
    """
    with scoped_reading(engine, scope) as connection:
        seen = [row for row, _ in channels_seen(connection, scope)]
        ids = [row["id"] for row in seen]
        overdue, since_us = _first(connection, ids, is_overdue(epoch_us(in_utc(now))))
        held_count, held_until_us = _first(connection, ids, _delivery.state == "held")
    return {
        "channels": len(seen),
        "failing": [row["name"] for row in seen if row["state"] == "failing"],
        "disabled": [row["name"] for row in seen if row["state"] == "disabled"],
        "overdue": overdue,
        "overdue_since": _instant(since_us),
        "held": held_count,
        "held_until": _instant(held_until_us),
    }


def _first(connection: Connection, channel_ids: Sequence[int], which: Any) -> tuple[int, int | None]:
    """How many of these channels' deliveries, and when the first has its turn."""
    if not channel_ids:
        return 0, None
    query = select(func.count(), func.min(_delivery.next_at_us)).where(which, _of_channels(channel_ids))
    count, first_us = connection.execute(query).one()
    return count, first_us


def _of_channels(ids: Sequence[int]) -> Any:
    return or_(
        *(_delivery.channel_id.in_(ids[start : start + _IDS_AT_ONCE]) for start in range(0, len(ids), _IDS_AT_ONCE)),
        _delivery.channel_id.in_([]),
    )


def _seen(connection: Connection, scope: Scope) -> Any:
    """The condition for rows of `delivery` that the scope sees."""
    if scope.is_everything:
        return true()
    return _of_channels([row["id"] for row, _ in channels_seen(connection, scope)])


def _with_alerts(scope: Scope) -> Select[Any]:
    """Without what was said, which is as long as it is; of the alert what tells which it is."""
    columns = [column for column in _delivery if column is not _delivery.content]
    alert = (_alert.budget, _alert.basis, _alert.threshold, _alert.state.label("alert_state"))
    same = _alert.id == _delivery.alert_id
    if scope.tenants is not None:
        same &= _alert.tenant_id.in_(sorted(scope.tenants))
    return select(*columns, *alert).outerjoin(schema.alert, same)


def described_delivery(row: RowMapping) -> dict[str, Any]:
    """The fields of an answer."""
    is_open = row["state"] in OPEN_STATES
    return {
        "id": row["id"],
        "alert_id": row["alert_id"],
        "channel_id": row["channel_id"],
        "channel": row["channel"],
        "kind": row["kind"],
        "state": row["state"],
        "tenant_id": row["tenant_id"],
        "severity": row["severity"],
        "budget": row["budget"],
        "basis": row["basis"],
        "threshold": row["threshold"],
        "alert_state": row["alert_state"],
        "message_id": row["message_id"],
        "attempts": row["attempts"],
        "next_at": _instant(row["next_at_us"]) if is_open else None,
        "answered_status": row["answered_status"],
        "answer_head": row["answer_head"],
        "problem": row["problem"],
        "created_at": _instant(row["created_at_us"]),
        "first_tried_at": _instant(row["first_tried_at_us"]),
        "ended_at": _instant(row["ended_at_us"]),
        "told_by": row["told_by"],
    }


def _instant(at_us: int | None) -> str | None:
    return None if at_us is None else rfc3339(at_us, "milliseconds")
