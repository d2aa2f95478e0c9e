"""The statement that recounts a totals table from the records and says where the two differ.

Stored totals and records go through one GROUP BY, the records with a minus sign: what is left over is the difference.
It finds wrong numbers, missing rows and rows too many alike, and it compares with ==.
"""

from rice_stream.instants import SECOND_US
from rice_stream.quantities import MEASURES
from rice_stream.store.totals_tables import TotalsTable

_WATCHED = (
    "EXISTS (SELECT 1 FROM watched_user w WHERE w.filled AND w.tenant_key = r.tenant_key AND w.user_key = r.user_key)"
)
# While the past of a user is still being added up, nobody reads what is there of their totals.
_COMPLETE = (
    "NOT EXISTS (SELECT 1 FROM watched_user w WHERE NOT w.filled AND w.tenant_key = {table}.tenant_key"
    " AND w.user_key = {table}.user_key)"
)

STORED_ONLY, RECORDS_ONLY = "extra", "missing"


def recount_sql(table: TotalsTable) -> str:
    """Rows that differ: the key, what is wrong, every measure's difference (stored - recounted), and two counts.

    `rows_differing` counts the rows, `measures_differing` the measures in them (a missing or extra row is one), both
    over all rows and not only those within `:limit`. Bounds: `:tenant_low`, `:tenant_high`, `:low_s`, `:high_s`,
    `:key_low`, `:key_high` (the lower ones included).
    """
    keys = ", ".join(table.key_columns)
    recounted_keys = ", ".join(_recounted_key(table, name) for name in table.key_columns)
    watched = f" AND {_WATCHED}" if table.watched_only else ""
    complete = f" AND {_COMPLETE.format(table=table.name)}" if table.watched_only else ""
    # The same types on both sides: PostgreSQL then sees one set of rows, which it can add up in parallel.
    recounted = ", ".join(f"-CAST({_of_record(measure)} AS BIGINT)" for measure in MEASURES)
    differences = ", ".join(f"SUM({measure}) AS {measure}" for measure in MEASURES)
    differ = " OR ".join(f"SUM({measure}) <> 0" for measure in MEASURES)
    count = " + ".join(f"CASE WHEN {measure} <> 0 THEN 1 ELSE 0 END" for measure in MEASURES)
    return f"""
WITH compared AS (
  SELECT {keys}, 1 AS stored, {", ".join(MEASURES)}
  FROM {table.name}
  WHERE tenant_key >= :tenant_low AND tenant_key < :tenant_high AND {table.start} >= :low_s AND {table.start} < :high_s{complete}
  UNION ALL
  SELECT {recounted_keys}, 0, {recounted}
  FROM prompt_record r
  WHERE r.tenant_key >= :tenant_low AND r.tenant_key < :tenant_high
    AND r.event_key >= :key_low AND r.event_key < :key_high{watched}
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


def _recounted_key(table: TotalsTable, name: str) -> str:
    if name == table.start:
        return f"r.ended_at_us / {table.bucket_s * SECOND_US} * {table.bucket_s}"
    return f"r.{name}"


def sum_of_records(measure: str) -> str:
    """The exact sum of a measure over records `r`, as a 64-bit integer (PostgreSQL would make it NUMERIC)."""
    return f"CAST(SUM({_of_record(measure)}) AS BIGINT)"


def _of_record(measure: str) -> str:
    """What a record adds to a total: an unknown token count adds nothing."""
    if measure == "prompts":
        return "1"
    return f"COALESCE(r.{measure}, 0)" if measure.endswith("_tokens") else f"r.{measure}"
