"""Alerts: the changes of budgets' states that were announced, and whether Kafka has confirmed them."""

from typing import Any

from sqlalchemy import select, text

from rice_stream.instants import rfc3339
from rice_stream.reports.pages import PAGE_ROWS, packed, page, unpacked
from rice_stream.store import schema
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, team_in, tenant_id_in
from rice_stream.store.scoped import scoped_reading

_TEAM = {
    "postgresql": "CAST(alert.event AS json) #>> '{data,scope,team_id}'",
    "sqlite": "json_extract(alert.event, '$.data.scope.team_id')",
}
"""The team of an alert's budget when it was announced: the budget may be gone, or another team's by now."""


def latest_alerts(
    engine: Engine, scope: Scope, *, tenant: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """The latest `limit` alerts (None: all), of a tenant where one is given, latest first.

    Who sees some teams only sees the alerts of their budgets, not those of the whole tenant.

    Returns:
        `[{"id", "tenant_id", "budget", "threshold", "state", "basis", "sequence", "time", "delivered", "delivered_at"}]`, times
        as RFC 3339 text to the millisecond; `delivered_at` is None until Kafka has confirmed the alert.
    """
    columns = schema.alert.c
    query = select(schema.alert).order_by(columns.created_at_us.desc(), columns.sequence.desc()).limit(limit)
    seen = scope.within(tenant)
    with scoped_reading(engine, scope) as connection:
        query = query.where(text(alerts_in(seen, connection.dialect.name)))
        return [described_alert(row) for row in connection.execute(query, scope_parameters(seen)).mappings()]


def alert_page(
    engine: Engine, scope: Scope, *, tenant: str | None = None, after: bytes | None = None, limit: int = PAGE_ROWS
) -> dict[str, Any]:
    """One page of `latest_alerts`: `{"rows", "next"}`. UsageError: a position of another list."""
    seen, columns = scope.within(tenant), schema.alert.c
    query = select(schema.alert).order_by(columns.created_at_us.desc(), columns.sequence.desc(), columns.id)
    if after is not None:
        created_at_us, sequence = unpacked(after, 2)
        same_time, same = columns.created_at_us == created_at_us, columns.sequence == sequence
        query = query.where(
            (columns.created_at_us < created_at_us)
            | (same_time & (columns.sequence < sequence))
            | (same_time & same & (columns.id > after[16:].decode(errors="replace")))
        )
    with scoped_reading(engine, scope) as connection:
        query = query.where(text(alerts_in(seen, connection.dialect.name))).limit(limit + 1)
        found = connection.execute(query, scope_parameters(seen)).mappings().all()
    return page(found, limit, _position, described_alert)


def _position(row: Any) -> bytes:
    return packed(row["created_at_us"], row["sequence"]) + str(row["id"]).encode()


def alerts_in(scope: Scope, dialect: str) -> str:
    """The condition for rows of `alert` that are of the scope."""
    return f"{tenant_id_in(scope, 'alert.tenant_id')} AND {team_in(scope, _TEAM[dialect])}"


def described_alert(row: Any) -> dict[str, Any]:
    """A row of the table as it is answered."""
    delivered_at_us = row["delivered_at_us"]
    return {
        "id": row["id"],
        "tenant_id": row["tenant_id"],
        "budget": row["budget"],
        "threshold": row["threshold"],
        "state": row["state"],
        "basis": row["basis"],
        "sequence": row["sequence"],
        "time": rfc3339(row["created_at_us"], "milliseconds"),
        "delivered": delivered_at_us is not None,
        "delivered_at": None if delivered_at_us is None else rfc3339(delivered_at_us, "milliseconds"),
    }
