"""Whether a month's totals are what its records and entries add up to, and whether closed months are still what was asserted."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from rice_stream.instants import SECOND_US
from rice_stream.proof.differences import Differences
from rice_stream.proof.json_objects import object_of
from rice_stream.proof.parts import Part
from rice_stream.proof.totals_comparison import compare
from rice_stream.quantities import ENTRY_AMOUNTS
from rice_stream.store.event_key_columns import key_bounds
from rice_stream.store.horizon import records_from_us
from rice_stream.store.period_leaves import NOT_LATE, MonthBounds
from rice_stream.store.period_store import StoredPeriod, all_periods
from rice_stream.store.record_measures import of_record
from rice_stream.store.totals_tables import TOTALS_TABLES

_WITHIN = (
    "r.tenant_key = :tenant_key AND r.event_key >= :low AND r.event_key < :high"
    " AND r.ended_at_us >= :low_us AND r.ended_at_us < :high_us"
)

_OF_THEN = " AND r.adjustment_key <= :entries_up_to"


def month_differences(connection: Connection, bounds: MonthBounds) -> Differences:
    """Recount every total of a tenant that a month touches, within a snapshot."""
    found = Differences()
    kept_from_s = -(-records_from_us(connection) // SECOND_US)
    low_s, high_s = bounds.low_us // SECOND_US, -(-bounds.high_us // SECOND_US)
    part = Part(bounds.tenant_key, bounds.tenant_key + 1, low_s, high_s)
    for table in TOTALS_TABLES:
        compare(connection, table, part.widened(table, kept_from_s), found)
    return found


def check_closed_months(connection: Connection, found: Differences) -> None:
    """Add up the records and entries of each closed month, without those that came later, and compare with what was asserted.

    Of months whose records have been dropped nothing can be compared.
    """
    horizon_us = records_from_us(connection)
    for period in all_periods(connection):
        if period.assertion is None or period.low_us < horizon_us:
            continue
        recounted = _recounted(connection, period)
        key = {**_tenant(connection, period), "month": period.month}
        stated = _stated(period.assertion)
        if stated is None:
            found.add_one("period", key, "differs", "assertion", None, None)
            continue
        for name in ("records", "entries"):
            if stated[name] != recounted[name]:
                found.add_one("period", key, "differs", name, stated[name], recounted[name])
        for what in ("reported", "restated"):
            for name in ENTRY_AMOUNTS:
                # Of an amount that this version counts and the one that closed the month did not, nothing was asserted.
                if name in stated[what] and int(stated[what][name]) != recounted[what][name]:
                    measure = f"{what}_{name}"
                    found.add_one("period", key, "differs", measure, int(stated[what][name]), recounted[what][name])


def _stated(assertion: str) -> dict[str, Any] | None:
    """What is asserted of a month; None: it is nothing that any version asserts."""
    found = object_of(assertion)
    whole = all(isinstance(found.get(what), dict) for what in ("reported", "restated"))
    return found if whole and found.keys() >= {"records", "entries"} else None


def _recounted(connection: Connection, period: StoredPeriod) -> dict[str, Any]:
    low, high = key_bounds(connection.dialect.name, period.low_us, period.high_us)
    asked = {**period.bounds._asdict(), "low": low, "high": high}
    records = ", ".join(f"COALESCE(SUM({of_record(name)}), 0) AS {name}" for name in ENTRY_AMOUNTS)
    entries = ", ".join(f"COALESCE(SUM(r.{name} * r.counted), 0) AS {name}" for name in ENTRY_AMOUNTS)
    of_records, of_entries = (
        _one(connection, statement, asked)
        for statement in (
            f"SELECT COUNT(*) AS row_count, {records} FROM prompt_record r WHERE {_WITHIN}{NOT_LATE}",
            f"SELECT COUNT(*) AS row_count, {entries} FROM adjustment_entry r WHERE {_WITHIN}{_OF_THEN}",
        )
    )
    return {
        "records": of_records["row_count"],
        "entries": of_entries["row_count"],
        "reported": {name: of_records[name] for name in ENTRY_AMOUNTS},
        "restated": {name: of_records[name] + of_entries[name] for name in ENTRY_AMOUNTS},
    }


def _one(connection: Connection, statement: str, asked: Mapping[str, Any]) -> dict[str, int]:
    # PostgreSQL sums BIGINT as NUMERIC.
    return {name: int(value) for name, value in connection.execute(text(statement), asked).mappings().one().items()}


def _tenant(connection: Connection, period: StoredPeriod) -> dict[str, Any]:
    query = text("SELECT tenant_id FROM tenant WHERE tenant_key = :tenant_key")
    name = connection.scalar(query, {"tenant_key": period.tenant_key})
    return {"tenant_key": period.tenant_key} if name is None else {"tenant_id": name}
