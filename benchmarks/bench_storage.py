"""Disk that a ledger takes: of each prompt for ever, and of totals, beside the events themselves."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Engine, text

from benchmarks.harness import Row, stack
from benchmarks.ledger import fill
from benchmarks.traffic import events

_PROMPTS = 1_000_000
_TENANTS = 50
_DAYS = 30
_SAMPLE = 10_000
_TOTALS = (
    "minute_total",
    "slot_total",
    "day_total",
    "tenant_day_total",
    "month_total",
    "factor_hour_total",
    "factor_day_total",
)


def run(scale: float = 1.0) -> list[dict[str, object]]:
    """Bytes on PostgreSQL, indexes included, after vacuuming."""
    prompts = int(_PROMPTS * scale)
    with stack() as (servers, engine):
        fill(engine, servers.database_url, prompts, tenants=_TENANTS, days=_DAYS, until=datetime.now(UTC))
        records = _bytes(engine, ["prompt_record", "event_id_list"])
        totals = _bytes(engine, _TOTALS)
    sent = [len(value) for _, value in events(_SAMPLE)]
    event = sum(sent) / len(sent)
    days = _TENANTS * _DAYS * 1e6
    name = "disk of totals, a tenant and day"
    return [
        Row.against("disk of a prompt", records / prompts, "bytes", "its event as JSON", event).as_dict(),
        Row.against(name, totals / days, "MB", "of its records", records / days).as_dict(),
    ]


def _bytes(engine: Engine, tables: Sequence[str]) -> int:
    """Of these tables with their partitions and indexes."""
    asked = text(
        "SELECT SUM(pg_total_relation_size(c.oid)) FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid"
        " LEFT JOIN pg_class p ON p.oid = i.inhparent WHERE c.relkind = 'r' AND COALESCE(p.relname, c.relname) = ANY(:tables)"
    )
    with engine.connect() as connection:
        return int(connection.execute(asked, {"tables": list(tables)}).scalar_one())
