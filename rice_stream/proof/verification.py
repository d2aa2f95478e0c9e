"""`rice-stream verify`: every total, recounted from the records and compared with ==.

All of it happens in SQL, on one snapshot: it may run beside a live worker and sees whole batches or nothing of them.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from rice_stream.instants import SECOND_US, SLOT_S, epoch_us, in_utc, rfc3339
from rice_stream.proof.differences import Differences
from rice_stream.proof.month_verification import check_closed_months
from rice_stream.proof.parts import parts
from rice_stream.proof.totals_comparison import compare
from rice_stream.quantities import ENTRY_AMOUNTS
from rice_stream.store.horizon import records_from_us
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import snapshot
from rice_stream.store.totals_tables import TOTALS_TABLES

ReportProgress = Callable[[str, int, int], None]
"""(what, steps done, steps in all), called before each step and at the end."""


def quiet(_what: str, _done: int, _total: int) -> None:
    """Progress for nobody."""


def verify(engine: Engine, progress: ReportProgress = quiet, *, horizon: datetime | None = None) -> dict[str, Any]:
    """Recount all totals. `ok` is True when not a single number differs.

    Totals from before the retention horizon cannot be recounted, their records being gone: they are left out, as are
    those before `horizon` (rounded up to a quarter hour). `differences` lists the first LISTED_MAX differences,
    `differences_total` counts all. `gaps` are offsets that Kafka never gave (compacted away, or markers of
    transactions): for information, not a difference.
    """
    found = Differences()
    with snapshot(engine, EVERYTHING) as connection:
        horizon_us = max(records_from_us(connection), 0 if horizon is None else epoch_us(in_utc(horizon)))
        horizon_s = -(-horizon_us // (SECOND_US * SLOT_S)) * SLOT_S
        all_parts = list(parts(connection, horizon_s))
        steps = len(all_parts) * len(TOTALS_TABLES)
        for step, (part, table) in enumerate((part, table) for part in all_parts for table in TOTALS_TABLES):
            progress(f"recounting {table.name}", step, steps)
            compare(connection, table, part, found)
        progress("checking the progress of partitions", steps, steps)
        records = _count(connection, "prompt_record", "ended_at_us >= :low", horizon_s * SECOND_US)
        # What retention has dropped is in the totals still.
        prompts = records if horizon_s == 0 else _prompts(connection)
        _check_groups(connection, found)
        progress("adding up closed months", steps, steps)
        check_closed_months(connection, found)
        _check_progress(connection, prompts, found)
        checked = sum(_count(connection, table.name, f"{table.start} >= :low", horizon_s) for table in TOTALS_TABLES)
        gaps = _gaps(connection)
    return {
        "ok": found.total == 0,
        "records": records,
        "totals_checked": checked,
        "differences": found.listed,
        "differences_total": found.total,
        "from": rfc3339(horizon_s * SECOND_US) if horizon_s else None,
        "gaps": gaps,
    }


def _check_progress(connection: Connection, prompts: int, found: Differences) -> None:
    """Each partition's events are all accounted for, and as many were recorded as there are."""
    rows = connection.execute(text("SELECT * FROM kafka_progress ORDER BY topic, partition")).mappings().all()
    for row in rows:
        judged = row["recorded"] + row["duplicates"] + row["conflicts"]
        if judged != row["events"]:
            key = {"topic": row["topic"], "partition": row["partition"]}
            found.add_one("kafka_progress", key, "differs", "events", row["events"], judged)
    recorded = sum(row["recorded"] for row in rows)
    if recorded != prompts:
        found.add_one("kafka_progress", {}, "differs", "recorded", recorded, prompts)


def _prompts(connection: Connection) -> int:
    """How many were ever recorded: those that totals count, and those that entries have taken out of them."""
    counted, corrected = (
        int(connection.scalar(text(f"SELECT CAST(COALESCE(SUM(prompts), 0) AS BIGINT) FROM {table}")) or 0)
        for table in ("minute_total", "adjustment_entry WHERE counted = 1")
    )
    return counted - corrected


def _check_groups(connection: Connection, found: Differences) -> None:
    """Every group of entries sums to zero with its contra amounts, and every entry belongs to one."""
    unbalanced = " OR ".join(f"COALESCE(e.{name}, 0) + g.contra_{name} <> 0" for name in ENTRY_AMOUNTS)
    sums = ", ".join(f"SUM({name}) AS {name}" for name in ENTRY_AMOUNTS)
    statement = (
        f"SELECT g.adjustment_key, g.cause, -g.contra_carbon_mid_ugco2e AS stated, e.carbon_mid_ugco2e AS added"
        f" FROM adjustment g LEFT JOIN (SELECT adjustment_key, {sums} FROM adjustment_entry GROUP BY adjustment_key) e"
        f" ON e.adjustment_key = g.adjustment_key WHERE {unbalanced} ORDER BY g.adjustment_key"
    )
    for row in connection.execute(text(statement)).mappings():
        key = {"adjustment_key": row["adjustment_key"], "cause": row["cause"]}
        found.add_one("adjustment", key, "differs", "carbon_mid_ugco2e", int(row["stated"]), int(row["added"] or 0))
    orphans = (
        "SELECT COUNT(*) FROM adjustment_entry e"
        " WHERE NOT EXISTS (SELECT 1 FROM adjustment g WHERE g.adjustment_key = e.adjustment_key)"
    )
    without_group = int(connection.scalar(text(orphans)) or 0)
    if without_group:
        found.add_one("adjustment_entry", {}, "extra", "entries", without_group, 0)


def _gaps(connection: Connection) -> list[dict[str, Any]]:
    query = "SELECT topic, partition, gaps FROM kafka_progress WHERE gaps > 0 ORDER BY topic, partition"
    return [dict(row) for row in connection.execute(text(query)).mappings()]


def _count(connection: Connection, table: str, condition: str, low: object) -> int:
    return int(connection.scalar(text(f"SELECT COUNT(*) FROM {table} WHERE {condition}"), {"low": low}) or 0)
