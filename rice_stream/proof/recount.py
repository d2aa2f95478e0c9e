"""The statement that recounts a totals table from the records and says where the two differ.

Stored totals and records go through one GROUP BY, the records with a minus sign: what is left over is the difference.
It finds wrong numbers, missing rows and rows too many alike, and it compares with ==.
"""

from typing import NamedTuple

from rice_stream.instants import DAY_S, MINUTE_S, SECOND_US, SLOT_S
from rice_stream.quantities import MEASURES
from rice_stream.store.statements import totals_columns


class Table(NamedTuple):
    """A totals table: its bucket, and which records it counts."""

    name: str
    start: str
    bucket_s: int
    condition: str


_WATCHED = "EXISTS (SELECT 1 FROM watched_user w WHERE w.tenant_key = r.tenant_key AND w.user_key = r.user_key)"
"""Users' totals are kept for watched users only."""

TABLES = (
    Table("minute_total", "minute_start_s", MINUTE_S, ""),
    Table("slot_total", "slot_start_s", SLOT_S, ""),
    Table("user_slot_total", "slot_start_s", SLOT_S, f" AND {_WATCHED}"),
    Table("tenant_day_total", "day_start_s", DAY_S, ""),
    Table("day_total", "day_start_s", DAY_S, ""),
)

STORED_ONLY, RECORDS_ONLY = "extra", "missing"


def key_columns(table: Table) -> list[str]:
    """The key of a totals table, in the order of its primary key."""
    return totals_columns(table.name)[0]


def recount_sql(table: Table) -> str:
    """Rows that differ: the key, what is wrong, every measure's difference (stored - recounted), and two counts.

    `rows_differing` counts the rows, `measures_differing` the measures in them (a missing or extra row is one), both
    over all rows and not only those within `:limit`. Bounds: `:tenant_low`, `:tenant_high`, `:low_s`, `:high_s`,
    `:key_low`, `:key_high` (the lower ones included).
    """
    keys = ", ".join(key_columns(table))
    recounted_keys = ", ".join(_recounted_key(table, name) for name in key_columns(table))
    # The same types on both sides: PostgreSQL then sees one set of rows, which it can add up in parallel.
    recounted = ", ".join(f"-CAST({_of_record(measure)} AS BIGINT)" for measure in MEASURES)
    differences = ", ".join(f"SUM({measure}) AS {measure}" for measure in MEASURES)
    differ = " OR ".join(f"SUM({measure}) <> 0" for measure in MEASURES)
    count = " + ".join(f"CASE WHEN {measure} <> 0 THEN 1 ELSE 0 END" for measure in MEASURES)
    return f"""
WITH compared AS (
  SELECT {keys}, 1 AS stored, {", ".join(MEASURES)}
  FROM {table.name}
  WHERE tenant_key >= :tenant_low AND tenant_key < :tenant_high AND {table.start} >= :low_s AND {table.start} < :high_s
  UNION ALL
  SELECT {recounted_keys}, 0, {recounted}
  FROM prompt_record r
  WHERE r.tenant_key >= :tenant_low AND r.tenant_key < :tenant_high
    AND r.event_key >= :key_low AND r.event_key < :key_high{table.condition}
), differing AS (
  SELECT {keys},
    CASE WHEN MIN(stored) = 1 THEN '{STORED_ONLY}' WHEN MAX(stored) = 0 THEN '{RECORDS_ONLY}' ELSE 'differs' END AS problem,
    {differences}
  FROM compared
  GROUP BY {keys}
  HAVING MIN(stored) = 1 OR MAX(stored) = 0 OR {differ}
)
SELECT differing.*, CAST(COUNT(*) OVER () AS BIGINT) AS rows_differing,
  CAST(SUM(CASE WHEN problem = 'differs' THEN {count} ELSE 1 END) OVER () AS BIGINT) AS measures_differing
FROM differing
ORDER BY {keys}
LIMIT :limit"""


def _recounted_key(table: Table, name: str) -> str:
    if name == table.start:
        return f"r.ended_at_us / {table.bucket_s * SECOND_US} * {table.bucket_s}"
    return f"r.{name}"


def _of_record(measure: str) -> str:
    """What a record adds to a total: an unknown token count adds nothing."""
    if measure == "prompts":
        return "1"
    return f"COALESCE(r.{measure}, 0)" if measure.endswith("_tokens") else f"r.{measure}"
