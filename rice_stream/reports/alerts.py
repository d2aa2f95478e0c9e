"""Alerts: the changes of budgets' states that were announced, and whether Kafka has confirmed them."""

from typing import Any

from sqlalchemy import select

from rice_stream.instants import rfc3339
from rice_stream.store import schema
from rice_stream.store.engine import Engine, reading


def latest_alerts(engine: Engine, *, tenant: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
    """The latest `limit` alerts (None: all), of a tenant where one is given, latest first.

    Returns:
        `[{"id", "tenant_id", "budget", "threshold", "state", "sequence", "time", "delivered", "delivered_at"}]`, times
        as RFC 3339 text to the millisecond; `delivered_at` is None until Kafka has confirmed the alert.
    """
    columns = schema.alert.c
    query = select(schema.alert).order_by(columns.created_at_us.desc(), columns.sequence.desc()).limit(limit)
    if tenant is not None:
        query = query.where(columns.tenant_id == tenant)
    with reading(engine) as connection:
        return [_described(row) for row in connection.execute(query).mappings()]


def _described(row: Any) -> dict[str, Any]:
    delivered_at_us = row["delivered_at_us"]
    return {
        "id": row["id"],
        "tenant_id": row["tenant_id"],
        "budget": row["budget"],
        "threshold": row["threshold"],
        "state": row["state"],
        "sequence": row["sequence"],
        "time": rfc3339(row["created_at_us"], "milliseconds"),
        "delivered": delivered_at_us is not None,
        "delivered_at": None if delivered_at_us is None else rfc3339(delivered_at_us, "milliseconds"),
    }
