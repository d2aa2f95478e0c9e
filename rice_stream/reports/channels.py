"""Channels: where alerts are sent, whether they arrive there, and what waits; never what is secret of a channel."""

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import RowMapping, func, select, text

from rice_stream.channels.definition import DeliveryState
from rice_stream.instants import DAY_US, epoch_us, in_utc, rfc3339
from rice_stream.reports.alerts import alerts_in
from rice_stream.store import schema
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters
from rice_stream.store.scoped import scoped_reading

EVERY_TENANT = "*"
"""In the place of a list of tenants: alerts of all of them. The tenant of that name is `["*"]`."""
KAFKA = "kafka"
"""Name and type of the channel that is always there: every alert goes to it, and workers send it, not servers."""
STATES: tuple[DeliveryState, ...] = get_args(DeliveryState)
FAILING_AFTER_US = DAY_US


def channels(
    engine: Engine, scope: Scope, now: datetime, *, tenant: str | None = None, name: str | None = None
) -> list[dict[str, Any]]:
    """Kafka and then all channels by name and tenants, or those that take alerts of one tenant, or those of one name.

    A channel is seen by those whose scope holds all its tenants, and every team of them; what Kafka counts are the alerts of the
    scope. `deliveries` counts them by state; `held_until` is the next end of quiet hours that something is held for.

    Returns:
        `[{"id", "name", "type", "state", "target", "tenants", "budgets", "min_severity", "quiet_hours", "remind_every_s",
        "statements", "failing_since", "last_done_at", "last_error", "deliveries", "held_until", "created_at",
        "updated_at"}]`, times as RFC 3339 text. Of Kafka `id` and `created_at` are None.
    """
    with scoped_reading(engine, scope) as connection:
        seen = channels_seen(connection, scope)
        counts, held_until_us = _counts(connection), _held_until_us(connection)
        kafka = _kafka(connection, scope.within(tenant), epoch_us(in_utc(now)))
    found = [kafka] + [
        _described(row, tenants, counts[row["id"]], held_until_us.get(row["id"]))
        for row, tenants in seen
        if tenant is None or tenants is None or tenant in tenants
    ]
    return [channel for channel in found if name is None or channel["name"] == name]


def channels_seen(connection: Connection, scope: Scope) -> list[tuple[RowMapping, frozenset[str] | None]]:
    """Rows of `channel` that the scope sees, each with its tenants (None: all), by name."""
    if scope.teams:
        return []
    table = schema.channel
    columns = [column for column in table.c if column is not table.c.sealed]
    rows = connection.execute(select(*columns).order_by(table.c.name, table.c.tenants)).mappings()
    stored = [(row, _tenants(row["tenants"])) for row in rows]
    return [(row, tenants) for row, tenants in stored if _holds(scope, tenants)]


def _tenants(stored: str) -> frozenset[str] | None:
    tenants = json.loads(stored)
    return None if tenants == EVERY_TENANT else frozenset(tenants)


def _holds(scope: Scope, tenants: frozenset[str] | None) -> bool:
    if tenants is None:
        return scope.tenants is None
    return all(map(scope.has_tenant, tenants))


def _counts(connection: Connection) -> dict[int, dict[str, int]]:
    """By channel and state, of whatever channels there are."""
    table = schema.delivery.c
    counts: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(STATES, 0))
    query = select(table.channel_id, table.state, func.count()).group_by(table.channel_id, table.state)
    for channel_id, state, count in connection.execute(query):
        counts[channel_id][state] = count
    return counts


def _held_until_us(connection: Connection) -> dict[int, int]:
    table = schema.delivery.c
    query = (
        select(table.channel_id, func.min(table.next_at_us).label("until_us"))
        .where(table.state == "held")
        .group_by(table.channel_id)
    )
    return {row.channel_id: row.until_us for row in connection.execute(query)}


def _kafka(connection: Connection, scope: Scope, now_us: int) -> dict[str, Any]:
    """Its deliveries are the alerts themselves: `due` until Kafka has confirmed them, `done` from then on."""
    table = schema.alert.c
    waiting = table.delivered_at_us.is_(None)
    query = select(
        func.count().filter(waiting).label("due"),
        func.count(table.delivered_at_us).label("done"),
        func.max(table.delivered_at_us).label("last_us"),
        func.min(table.created_at_us).filter(waiting).label("oldest_us"),
    ).where(text(alerts_in(scope, connection.dialect.name)))
    found = connection.execute(query, scope_parameters(scope)).one()
    is_failing = found.oldest_us is not None and found.oldest_us <= now_us - FAILING_AFTER_US
    return {
        "id": None,
        "name": KAFKA,
        "type": KAFKA,
        "state": "failing" if is_failing else "ok",
        "target": "the topic of RICE_ALERTS_TOPIC",
        "tenants": EVERY_TENANT,
        "budgets": [],
        "min_severity": "info",
        "quiet_hours": None,
        "remind_every_s": None,
        "statements": False,
        "failing_since": _instant(found.oldest_us) if is_failing else None,
        "last_done_at": _instant(found.last_us),
        "last_error": None,
        "deliveries": {**dict.fromkeys(STATES, 0), "due": found.due, "done": found.done},
        "held_until": None,
        "created_at": None,
        "updated_at": None,
    }


def _described(
    row: RowMapping, tenants: frozenset[str] | None, counts: Mapping[str, int], held_until_us: int | None
) -> dict[str, Any]:
    settings = json.loads(row["settings"])
    return {
        "id": row["id"],
        "name": row["name"],
        "type": row["type"],
        "state": row["state"],
        "target": row["target"],
        "tenants": EVERY_TENANT if tenants is None else sorted(tenants),
        "budgets": sorted(json.loads(row["budgets"])),
        "min_severity": row["min_severity"],
        "quiet_hours": settings.get("quiet_hours"),
        "remind_every_s": settings.get("remind_every_s"),
        "statements": settings.get("statements", False),
        "failing_since": _instant(row["failing_since_us"]),
        "last_done_at": _instant(row["last_done_at_us"]),
        "last_error": row["last_error"],
        "deliveries": dict(counts),
        "held_until": _instant(held_until_us),
        "created_at": _instant(row["created_at_us"]),
        "updated_at": _instant(row["updated_at_us"]),
    }


def _instant(at_us: int | None) -> str | None:
    return None if at_us is None else rfc3339(at_us, "milliseconds")
