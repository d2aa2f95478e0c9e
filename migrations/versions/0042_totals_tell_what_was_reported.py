"""Totals say what of each sum corrections have added"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_MEASURES = (
    "prompts",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "it_energy_uwh",
    "facility_energy_uwh",
    "carbon_low_ugco2e",
    "carbon_mid_ugco2e",
    "carbon_high_ugco2e",
    "impact_prompts",
    "embodied_ugco2e",
    "water_ul",
    "carbon_market_ugco2e",
)
_ADDED = tuple(f"corrected_{name}" for name in _MEASURES)
_OF_ALL = ("tenant_key", "attribution_key", "factor_key")
_KEYS = {
    "minute_total": ("tenant_key", "minute_start_s"),
    "slot_total": ("tenant_key", "slot_start_s", "attribution_key", "factor_key"),
    "factor_hour_total": ("tenant_key", "hour_start_s", "factor_key"),
    "day_total": ("tenant_key", "day_start_s", "attribution_key", "factor_key"),
    "factor_day_total": ("tenant_key", "day_start_s", "factor_key"),
    "month_total": ("tenant_key", "month_start_s", "factor_key"),
}
_START = {
    "slot_total": "start_s",
    "factor_hour_total": "start_s - start_s % 3600",
    "day_total": "start_s - start_s % 86400",
    "factor_day_total": "start_s - start_s % 86400",
}
_MONTH_START = {
    "postgresql": "CAST(extract(epoch FROM date_trunc('month', to_timestamp(start_s) AT TIME ZONE 'UTC')) AS BIGINT)",
    "sqlite": "CAST(strftime('%s', start_s, 'unixepoch', 'start of month') AS INTEGER)",
}
_SUMS = ", ".join(f"SUM({name}) AS {name}" for name in _MEASURES)
_LATE = sa.text("counted = 0")
_INDEX = "ix_adjustment_entry_late"


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    keys = ["tenant_key", "event_key"]
    op.create_index(_INDEX, "adjustment_entry", keys, postgresql_where=_LATE, sqlite_where=_LATE)
    for table in _KEYS:
        if dialect == "postgresql":
            op.execute(f"ALTER TABLE {table} {', '.join(f'ADD COLUMN {name} BIGINT' for name in _ADDED)}")
            continue
        for name in _ADDED:
            op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=True))
    _fill(dialect)


def downgrade() -> None:
    for table in _KEYS:
        for name in _ADDED:
            op.drop_column(table, name)
    op.drop_index(_INDEX, "adjustment_entry")


def _fill(dialect: str) -> None:
    """From the entries, all of which are kept for good."""
    minutes_from_us = op.get_bind().scalar(sa.text("SELECT MAX(minutes_from_us) FROM retention")) or 0
    second = "r.ended_at_us / 1000000"
    slot = f"{second} - {second} % 900"
    minute = f"CASE WHEN r.ended_at_us < {minutes_from_us} / 900000000 * 900000000 THEN {slot} ELSE {second} - {second} % 60 END"
    for name, keys, start_s in (("corrected_by_minute", ("tenant_key",), minute), ("corrected_by_slot", _OF_ALL, slot)):
        chosen = ", ".join(f"r.{key}" for key in keys)
        op.execute(
            f"CREATE TEMPORARY TABLE {name} AS SELECT {chosen}, {start_s} AS start_s, {_SUMS} FROM adjustment_entry r"
            f" WHERE r.counted = 1 GROUP BY {', '.join(str(place + 1) for place in range(len(keys) + 1))}"
        )
    _add("minute_total", "corrected_by_minute", "start_s")
    for table, start_s in _START.items():
        _add(table, "corrected_by_slot", start_s)
    _add("month_total", "corrected_by_slot", _MONTH_START[dialect])
    for name in ("corrected_by_minute", "corrected_by_slot"):
        op.drop_table(name)


def _add(table: str, source: str, start_s: str) -> None:
    """A row that nothing was left of may have been taken away: it gets one, of zeros."""
    keys = _KEYS[table]
    values = ", ".join(start_s if name.endswith("_start_s") else name for name in keys)
    grouped = ", ".join(str(place + 1) for place in range(len(keys)))
    zeros = ", ".join("0" for _ in _MEASURES)
    changes = ", ".join(f"{name} = excluded.{name}" for name in _ADDED)
    op.execute(
        f"INSERT INTO {table} ({', '.join((*keys, *_MEASURES, *_ADDED))}) SELECT {values}, {zeros}, {_SUMS} FROM {source}"
        f" WHERE TRUE GROUP BY {grouped} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
    )
