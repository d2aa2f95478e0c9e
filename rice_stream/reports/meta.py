"""What every answer rests on: as of when, how far the data reach, in which time zone, and by which method and factors."""

from collections.abc import Hashable
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from rice_stream.instants import SECOND_US, epoch_us, in_utc, rfc3339
from rice_stream.reports.one_moment import one_moment
from rice_stream.reports.progress import MARKER, MARKER_QUESTION, progress_marker
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.prepared import rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_id_in
from rice_stream.store.scoped import find_later, found_once, is_found, keep_found, scoped_reading


class DataReach(NamedTuple):
    """How far the data of a scope reach."""

    marker: str | None
    """As `progress.progress_marker`, of the moment of the rest."""
    latest_s: int | None
    """Start of the latest minute with prompts (of the latest quarter hour for who sees some teams only); None: there is none."""
    committed_us: int | None
    """When a worker stored something last: None for who does not see everything, and where nothing has come from Kafka."""


def report_meta(
    engine: Engine, scope: Scope, now: datetime, *, tenant: str | None = None, time_zone: str | None = None
) -> dict[str, Any]:
    """`{"as_of", "watermark", "committed_at", "time_zone", "versions": [{"method", "factors"}]}`, times as RFC 3339 text.

    `watermark` and `committed_at` are those of the scope's `DataReach`. `time_zone` None: days are those of each tenant's own.
    `versions` are all that estimates in this database were made with, latest first.
    """
    with one_moment(engine, scope):
        found = reach_of(engine, scope, tenant=tenant)
        return meta_of(found, versions_of(engine, scope), now, time_zone)


def meta_of(reach: DataReach, versions: list[dict[str, str]], now: datetime, time_zone: str | None) -> dict[str, Any]:
    """The same of what is known already."""
    latest_s, committed_us = reach.latest_s, reach.committed_us
    return {
        "as_of": rfc3339(epoch_us(in_utc(now))),
        "watermark": None if latest_s is None else rfc3339(latest_s * SECOND_US),
        "committed_at": None if committed_us is None else rfc3339(committed_us),
        "time_zone": time_zone,
        "versions": versions,
    }


def versions_of(engine: Engine, scope: Scope) -> list[dict[str, str]]:
    """`versions`: of a table that is no tenant's, and so the same in every scope."""
    query = statement(
        "SELECT method_version, factor_version FROM factor_use"
        " GROUP BY method_version, factor_version ORDER BY MAX(factor_key) DESC"
    )
    with scoped_reading(engine, scope) as connection:
        return [{"method": method, "factors": factors} for method, factors in rows_of(connection, query, {})]


def reach_of(engine: Engine, scope: Scope, *, tenant: str | None = None) -> DataReach:
    """In one statement; in none where a moment that is held open has asked for all of it before."""
    seen = scope.within(tenant)
    with scoped_reading(engine, scope) as connection:
        asked_before = is_found(connection, MARKER_QUESTION) and is_found(connection, watermark_question(seen))
        if asked_before and not scope.is_everything:
            return DataReach(progress_marker(engine, scope), watermark_s(connection, seen), None)
        marker = MARKER[connection.dialect.name]
        committed = "(SELECT MAX(committed_at_us) FROM kafka_progress)" if scope.is_everything else "NULL"
        query = f"SELECT {marker}, ({watermark_statement(seen)}), {committed}"
        ((found, latest_s, committed_us),) = rows_of(connection, statement(query), scope_parameters(seen))
        keep_found(connection, MARKER_QUESTION, found)
        keep_found(connection, watermark_question(seen), latest_s)
    return DataReach(found, latest_s, committed_us)


def reach_later(engine: Engine, scope: Scope) -> None:
    """Ask for what `reach_of` tells of a moment ahead of what else is asked of it, where it is not of everything."""
    with scoped_reading(engine, scope) as connection:
        query = f"SELECT {MARKER[connection.dialect.name]}, ({watermark_statement(scope)})"
        rows = rows_later(connection, statement(query), scope_parameters(scope))
        row = cache(lambda: rows()[0])
        find_later(connection, MARKER_QUESTION, lambda: row()[0])
        find_later(connection, watermark_question(scope), lambda: row()[1])


def watermark_s(connection: Connection, scope: Scope) -> int | None:
    """`DataReach.latest_s` alone."""

    def look() -> int | None:
        ((latest_s,),) = rows_of(connection, statement(watermark_statement(scope)), scope_parameters(scope))
        found: int | None = latest_s
        return found

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
