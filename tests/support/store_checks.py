"""What must hold in any database after anything: worked out here in plain Python, apart from the code under test."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select

from rice_stream.quantities import MEASURES
from rice_stream.store import schema
from rice_stream.store.engine import reading
from tests.support.fakes import CARBON_UGCO2E_PER_TOKEN, FACILITY_UWH_PER_TOKEN, IT_UWH_PER_TOKEN, weighted_tokens

TABLES = {
    "minute_total": ("tenant_key", "minute_start_s"),
    "slot_total": ("tenant_key", "slot_start_s", "attribution_key", "factor_key"),
    "user_slot_total": ("tenant_key", "slot_start_s", "user_key", "attribution_key", "factor_key"),
    "factor_hour_total": ("tenant_key", "hour_start_s", "factor_key"),
    "tenant_day_total": ("tenant_key", "day_start_s"),
    "day_total": ("tenant_key", "day_start_s", "attribution_key", "factor_key"),
    "factor_day_total": ("tenant_key", "day_start_s", "factor_key"),
    "month_total": ("tenant_key", "month_start_s", "factor_key"),
}
WITHOUT_CORRECTED = ("user_slot_total", "tenant_day_total")
_BUCKET_S = {"minute_start_s": 60, "slot_start_s": 900, "hour_start_s": 3_600, "day_start_s": 86_400}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Sums = dict[tuple[int, ...], tuple[int, ...]]
Rows = Callable[[str], list[dict[str, Any]]]
"""Name of a table -> all its rows."""


def rows_in(engine: Engine) -> Rows:
    """The tables of a database."""

    def rows(table: str) -> list[dict[str, Any]]:
        with reading(engine) as connection:
            return [dict(row) for row in connection.execute(select(schema.metadata.tables[table])).mappings()]

    return rows


def stored_totals(rows: Rows, table: str) -> Sums:
    """key -> measures, as stored."""
    return {tuple(row[name] for name in TABLES[table]): tuple(row[name] for name in MEASURES) for row in rows(table)}


def stored_corrections(rows: Rows, table: str) -> Sums:
    """key -> what of the measures corrections are, as stored; a store in memory corrects nothing."""
    return {
        tuple(row[name] for name in TABLES[table]): tuple(row[f"corrected_{name}"] for name in MEASURES)
        for row in rows(table)
        if any(row.get(f"corrected_{name}") is not None for name in MEASURES)
    }


def recomputed_corrections(rows: Rows, table: str) -> Sums:
    """key -> measures, added up from what corrects records alone."""
    return recomputed_totals(lambda name: [] if name == "prompt_record" else rows(name), table)


def measures_of(record: dict[str, Any]) -> dict[str, int]:
    """What a record adds to totals: what is unknown adds nothing, and carbon by the market is then that by location."""
    market = record.get("carbon_market_ugco2e")
    counts = {
        "prompts": 1,
        "impact_prompts": int(record.get("embodied_ugco2e") is not None),
        "carbon_market_ugco2e": record["carbon_mid_ugco2e"] if market is None else market,
    }
    return {name: counts[name] if name in counts else record.get(name) or 0 for name in MEASURES}


def recomputed_totals(rows: Rows, table: str) -> Sums:
    """key -> measures, added up from the records and what corrects them with Python's integers."""
    records = [{**record, **measures_of(record)} for record in rows("prompt_record")]
    records += [entry for entry in rows("adjustment_entry") if entry["counted"]]
    if table == "user_slot_total":
        watched = {(row["tenant_key"], row["user_key"]) for row in rows("watched_user")}
        records = [record for record in records if (record["tenant_key"], record["user_key"]) in watched]
    sums: dict[tuple[int, ...], list[int]] = defaultdict(lambda: [0] * len(MEASURES))
    for record in records:
        values = dict(record)
        for name, bucket_s in _BUCKET_S.items():
            seconds = record["ended_at_us"] // 1_000_000
            values[name] = seconds - seconds % bucket_s
        first_day = (EPOCH + timedelta(seconds=seconds)).replace(day=1, hour=0, minute=0, second=0)
        values["month_start_s"] = int((first_day - EPOCH).total_seconds())
        key = tuple(values[name] for name in TABLES[table])
        for k, name in enumerate(MEASURES):
            sums[key][k] += values[name]
    return {key: tuple(values) for key, values in sums.items()}


def assert_totals(rows: Rows) -> None:
    """Every total equals the sum of its records, and what of it corrections are that of its entries."""
    for table in TABLES:
        assert _something(stored_totals(rows, table)) == _something(recomputed_totals(rows, table)), table
        if table not in WITHOUT_CORRECTED:
            assert _something(stored_corrections(rows, table)) == _something(recomputed_corrections(rows, table)), table


def _something(sums: Sums) -> Sums:
    """Without rows of nothing: what is left where everything was taken away."""
    return {key: amounts for key, amounts in sums.items() if any(amounts)}


def assert_exact(rows: Rows) -> None:
    """Every total equals the sum of its records, and every counter of progress adds up to what is stored."""
    assert_totals(rows)
    records = len(rows("prompt_record"))
    progress = rows("kafka_progress")
    held = len(rows("quarantine"))
    contradicted = len(rows("conflict"))
    for row in progress:
        assert row["events"] == row["recorded"] + row["duplicates"] + row["conflicts"], row
        assert row["first_offset"] <= row["last_offset"], row
    assert sum(row["recorded"] for row in progress) == records
    # Deliveries count every time they come, rows only once.
    assert sum(row["quarantined"] for row in progress) >= held
    assert sum(row["conflicts"] for row in progress) >= contradicted


def tenant_sums(rows: Rows) -> dict[str, dict[str, int]]:
    """tenant_id -> measure -> sum over all minutes; tenants without records are left out."""
    names = {row["tenant_key"]: row["tenant_id"] for row in rows("tenant")}
    sums: dict[str, dict[str, int]] = {}
    for row in rows("minute_total"):
        of = sums.setdefault(names[row["tenant_key"]], dict.fromkeys(MEASURES, 0))
        for name in MEASURES:
            of[name] += row[name]
    return sums


def expected_sums(events: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """The same, worked out from what was sent (each event once) with the numbers of `tests.support.fakes`."""
    sums: dict[str, dict[str, int]] = {}
    for event in events:
        of = sums.setdefault(event["tenant_id"], dict.fromkeys(MEASURES, 0))
        unknown = event["input_tokens"] is None or event["output_tokens"] is None
        weight = weighted_tokens(event) * (3 if event.get("request_model") == "big" else 1)
        of["prompts"] += 1
        for name in MEASURES[1:6]:
            of[name] += event.get(name) or 0
        of["it_energy_uwh"] += weight * IT_UWH_PER_TOKEN
        of["facility_energy_uwh"] += weight * FACILITY_UWH_PER_TOKEN
        weight *= event.get("carbon_times", 1)  # of events that say how dirty their electricity is, and are believed
        of["carbon_mid_ugco2e"] += weight * CARBON_UGCO2E_PER_TOKEN
        of["carbon_market_ugco2e"] += weight * CARBON_UGCO2E_PER_TOKEN
        of["carbon_low_ugco2e"] += weight * CARBON_UGCO2E_PER_TOKEN // (20 if unknown else 2)
        of["carbon_high_ugco2e"] += weight * CARBON_UGCO2E_PER_TOKEN * (20 if unknown else 2)
    return sums
