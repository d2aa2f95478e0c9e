"""What totals ought to be: one statement recounts a totals table from records and entries, and says where the two differ.

Stored totals, and sums of records and of the entries that correct them, go through one GROUP BY, the latter with a minus sign:
what is left over is the difference.
It finds wrong numbers, missing rows and rows too many alike, and it compares with ==. `verify` and `rebuild` share it. What of the
sums corrections are is recounted likewise, from the entries alone (`corrections`).
"""

from typing import Any

from rice_stream.instants import DAY_S, SECOND_US, SLOT_S
from rice_stream.quantities import MEASURES
from rice_stream.store.event_key_columns import key_bounds
from rice_stream.store.record_measures import of_record
from rice_stream.store.statements import upsert_totals_sql
from rice_stream.store.totals_tables import CORRECTED, MINUTES, TotalsTable

_WATCHED = (
    "EXISTS (SELECT 1 FROM watched_user w WHERE w.filled AND w.tenant_key = r.tenant_key AND w.user_key = r.user_key)"
)
_OF_ENTRY = "r.counted = 1"
"""The others' amounts are those of records."""
# While the past of a user is still being added up, nobody reads what is there of their totals.
_COMPLETE = (
    "NOT EXISTS (SELECT 1 FROM watched_user w WHERE NOT w.filled AND w.tenant_key = {table}.tenant_key"
    " AND w.user_key = {table}.user_key)"
)
_TENANTS_OF_PART = "tenant_key >= :tenant_low AND {0}tenant_key < :tenant_high"
_CHOSEN_TENANTS = "tenant_key IN :tenants"

STORED_ONLY, RECORDS_ONLY, DIFFERS = "extra", "missing", "differs"
PROBLEMS = (RECORDS_ONLY, STORED_ONLY, DIFFERS)
"""What can be wrong with a row: it is missing, it has no records, or some number of it is another."""


def record_bounds(dialect: str, low_s: int, high_s: int) -> dict[str, Any]:
    """Bounds of the records that ended from `low_s` to before `high_s`, as the statements here ask for them."""
    low_us, high_us = low_s * SECOND_US, high_s * SECOND_US
    key_low, key_high = key_bounds(dialect, low_us, high_us)
    return {"low_us": low_us, "high_us": high_us, "key_low": key_low, "key_high": key_high}


def recount_sql(table: TotalsTable, dialect: str, *, corrections: bool = False) -> str:
    """Rows that differ: the key, what is wrong, every measure's difference (stored - recounted), and two counts.

    `rows_differing` counts the rows, `measures_differing` the measures in them (a missing or extra row is one), both
    over all rows and not only those within `:limit`. Bounds: `:tenant_low`, `:tenant_high`, `:low_s`, `:high_s`,
    `:low_us`, `:high_us`, `:key_low`, `:key_high` (the lower ones included; `record_bounds` gives those of the records), and
    `:folded_before_s`, where minutes begin to be minutes.
    """
    keys = ", ".join(table.key_columns)
    count = " + ".join(f"CASE WHEN {measure} <> 0 THEN 1 ELSE 0 END" for measure in MEASURES)
    return f"""{_differing(table, dialect, _TENANTS_OF_PART, corrections=corrections)}
SELECT differing.*, CAST(COUNT(*) OVER () AS BIGINT) AS rows_differing,
  CAST(SUM(CASE WHEN problem = '{DIFFERS}' THEN {count} ELSE 1 END) OVER () AS BIGINT) AS measures_differing
FROM differing
ORDER BY {keys}
LIMIT :limit"""


def differing_days_sql(table: TotalsTable, dialect: str, *, corrections: bool = False) -> str:
    """How many rows differ by tenant and day of UTC (its start in epoch seconds, `day_s`), in columns named as PROBLEMS.

    Bounds are those of `recount_sql`.
    """
    day = f"{table.start} / {DAY_S} * {DAY_S}"
    counts = ", ".join(
        f"CAST(SUM(CASE WHEN problem = '{problem}' THEN 1 ELSE 0 END) AS BIGINT) AS {problem}" for problem in PROBLEMS
    )
    return f"""{_differing(table, dialect, _TENANTS_OF_PART, corrections=corrections)}
SELECT {day} AS day_s, tenant_key, {counts}
FROM differing
GROUP BY {day}, tenant_key
ORDER BY {day}, tenant_key"""


def correct_sql(table: TotalsTable, dialect: str, *, corrections: bool = False) -> str:
    """Put right what differs, of `:tenants` (a list) within the bounds of `recount_sql`.

    PostgreSQL adds the difference, as a batch adds its sums: a batch that commits at the same time adds the same to records
    and totals, so the difference stays true, and nothing but the rows that differ is locked, in key order as batches do.
    SQLite, where nobody else writes meanwhile, sets the numbers, whatever had been put there.
    A row that nothing is left of has zeros; `delete_empty_sql` takes it away.
    """
    if dialect == "postgresql":
        sums, change = [f"-{measure}" for measure in MEASURES], "{0} = COALESCE({1}.{0}, 0) + excluded.{0}"
    else:
        sums, change = [f"recounted_{measure}" for measure in MEASURES], "{0} = excluded.{0}"
    corrected = None
    if corrections:
        # Of a row that is there, the sums stay as they are.
        sums, change, corrected = [*("0" for _ in MEASURES), *sums], "{0} = {1}.{0}", change
    keys = ", ".join(table.key_columns)
    recounted = ", ".join(
        f"SUM(CASE WHEN stored = 0 THEN -{measure} ELSE 0 END) AS recounted_{measure}" for measure in MEASURES
    )
    # WHERE: without it SQLite reads the ON of ON CONFLICT as that of a join.
    source = f"SELECT {keys}, {', '.join(sums)} FROM differing WHERE TRUE ORDER BY {keys}"
    differing = _differing(table, dialect, _CHOSEN_TENANTS, recounted, corrections=corrections)
    return upsert_totals_sql(table, f"{differing}\n{source}", change, corrected)


def delete_empty_sql(table: TotalsTable) -> str:
    """Delete rows of nothing but zeros: no records, or none that was not taken away. Bounds: those of `correct_sql`."""
    zeros = " AND ".join(
        [*(f"{measure} = 0" for measure in MEASURES), *(f"COALESCE({name}, 0) = 0" for name in table.corrected_columns)]
    )
    return (
        f"DELETE FROM {table.name} WHERE {_CHOSEN_TENANTS} AND {table.start} >= :low_s AND {table.start} < :high_s"
        f" AND {zeros}"
    )


def sum_of_records(measure: str) -> str:
    """The exact sum of a measure over records `r`, which on PostgreSQL has any number of digits."""
    return f"SUM({of_record(measure)})"


def _differing(table: TotalsTable, dialect: str, tenants: str, more: str = "", *, corrections: bool = False) -> str:
    """`WITH ... differing AS (...)`: the rows of a part that differ; `more` are further columns of it. With `corrections` what of
    the sums corrections are is compared: a row without them is none that could be missing or too many."""
    keys = ", ".join(table.key_columns)
    stored_keys = ", ".join(_stored_key(table, name) for name in table.key_columns)
    recounted_keys = ", ".join(_recounted_key(table, dialect, name) for name in table.key_columns)
    watched = f" AND {_WATCHED}" if table.watched_only else ""
    complete = f" AND {_COMPLETE.format(table=table.name)}" if table.watched_only else ""
    recounted = "\n  UNION ALL\n".join(
        f"""  SELECT {recounted_keys}, 0, {", ".join(f"-SUM({of(measure)})" for measure in MEASURES)}
  FROM {source} r
  WHERE r.{tenants.format("r.")}
    AND r.event_key >= :key_low AND r.event_key < :key_high
    AND r.ended_at_us >= :low_us AND r.ended_at_us < :high_us{also}{watched}
  GROUP BY {recounted_keys}"""
        for source, also, of in (
            *([] if corrections else [("prompt_record", "", of_record)]),
            ("adjustment_entry", f" AND {_OF_ENTRY}", _of_entry),
        )
    )
    stored, chosen = ", ".join(MEASURES), ""
    is_too_many, problem = (
        "MIN(stored) = 1 OR ",
        (
            f"CASE WHEN MIN(stored) = 1 THEN '{STORED_ONLY}' WHEN MAX(stored) = 0 THEN '{RECORDS_ONLY}' ELSE '{DIFFERS}' END"
        ),
    )
    if corrections:
        stored = ", ".join(f"COALESCE({CORRECTED[measure]}, 0) AS {measure}" for measure in MEASURES)
        chosen = f" AND COALESCE({', '.join(table.corrected_columns)}) IS NOT NULL"
        is_too_many, problem = "", f"'{DIFFERS}'"
    differences = ", ".join(f"SUM({measure}) AS {measure}" for measure in MEASURES)
    differ = " OR ".join(f"SUM({measure}) <> 0" for measure in MEASURES)
    return f"""
WITH compared AS (
  SELECT {stored_keys}, 1 AS stored, {stored}
  FROM {table.name}
  WHERE {tenants.format("")} AND {table.start} >= :low_s AND {table.start} < :high_s{complete}{chosen}
  UNION ALL
{recounted}
), differing AS (
  SELECT {keys},
    {problem} AS problem,
    {differences}{", " if more else ""}{more}
  FROM compared
  GROUP BY {keys}
  HAVING {is_too_many}{differ}
)"""


def _stored_key(table: TotalsTable, name: str) -> str:
    return f"{_bucket(table, name)} AS {name}" if name == table.start else name


_MONTH_START = {
    "postgresql": "CAST(extract(epoch FROM date_trunc('month', to_timestamp({0}) AT TIME ZONE 'UTC')) AS BIGINT)",
    "sqlite": "CAST(strftime('%s', {0}, 'unixepoch', 'start of month') AS INTEGER)",
}


def _recounted_key(table: TotalsTable, dialect: str, name: str) -> str:
    if name == table.start and table.by_month:
        return _MONTH_START[dialect].format(f"(r.ended_at_us / {SECOND_US})")
    if name == table.start:
        return _bucket(table, f"(r.ended_at_us / {table.bucket_s * SECOND_US} * {table.bucket_s})")
    return f"r.{name}"


def _bucket(table: TotalsTable, start: str) -> str:
    """Old minutes are quarter hours (`minute_folding.py`), or become so: both sides are taken by the quarter hour there."""
    if table != MINUTES:
        return start
    return f"CASE WHEN {start} < :folded_before_s THEN {start} - {start} % {SLOT_S} ELSE {start} END"


def _of_entry(measure: str) -> str:
    """What an entry adds to a total."""
    return f"r.{measure}"
