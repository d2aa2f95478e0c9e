"""What every answer rests on: as of when, how far the data reach, in which time zone, and by which method and factors."""

from collections.abc import Hashable
from datetime import datetime
from typing import Any

from sqlalchemy import text

from rice_stream.instants import SECOND_US, epoch_us, in_utc, rfc3339
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_id_in
from rice_stream.store.scoped import found_once, scoped_reading


def report_meta(
    engine: Engine, scope: Scope, now: datetime, *, tenant: str | None = None, time_zone: str | None = None
) -> dict[str, Any]:
    """`{"as_of", "watermark", "committed_at", "time_zone", "versions": [{"method", "factors"}]}`, times as RFC 3339 text.

    `watermark` is the start of the latest minute with prompts (of the latest quarter hour for who sees some teams only); None:
    there are none in the scope. `committed_at` says when a worker stored something last, whosever it was: None for who does not see
    everything, and where nothing has come from Kafka. `time_zone` None: days are those of each tenant's own. `versions` are all
    that estimates in this database were made with, latest first.
    """
    seen = scope.within(tenant)
    with scoped_reading(engine, scope) as connection:
        latest_s = watermark_s(connection, seen)
        committed_us = None
        if scope.is_everything:
            committed_us = connection.scalar(text("SELECT MAX(committed_at_us) FROM kafka_progress"))
        versions = connection.execute(
            text(
                "SELECT method_version, factor_version FROM factor_use"
                " GROUP BY method_version, factor_version ORDER BY MAX(factor_key) DESC"
            )
        ).all()
    return {
        "as_of": rfc3339(epoch_us(in_utc(now))),
        "watermark": None if latest_s is None else rfc3339(latest_s * SECOND_US),
        "committed_at": None if committed_us is None else rfc3339(committed_us),
        "time_zone": time_zone,
        "versions": [{"method": method, "factors": factors} for method, factors in versions],
    }


def watermark_s(connection: Connection, scope: Scope) -> int | None:
    """The start of the latest minute with prompts in the scope; None: there are none."""

    def look() -> int | None:
        latest_s: int | None = connection.scalar(text(watermark_statement(scope)), scope_parameters(scope))
        return latest_s

    return found_once(connection, watermark_question(scope), look)


def watermark_question(scope: Scope) -> Hashable:
    """As `found_once` knows it."""
    return "watermark", scope


def watermark_statement(scope: Scope) -> str:
    """The latest bucket of each tenant is one look into the table's key."""
    latest = "SELECT MAX(m.minute_start_s) FROM minute_total m WHERE m.tenant_key = t.tenant_key"
    if scope.teams:
        latest = (
            "SELECT m.slot_start_s FROM slot_total m WHERE m.tenant_key = t.tenant_key"
            f" AND {attribution_in(scope, 'm')} ORDER BY m.slot_start_s DESC LIMIT 1"
        )
    return f"SELECT MAX(({latest})) FROM tenant t WHERE {tenant_id_in(scope)}"
