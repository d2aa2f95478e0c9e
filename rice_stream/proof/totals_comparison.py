"""One totals table against what it ought to be, and each difference by the names of its key."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from rice_stream.instants import SECOND_US, SLOT_S, rfc3339
from rice_stream.proof.differences import LISTED_MAX, Differences
from rice_stream.proof.parts import Part
from rice_stream.quantities import MEASURES
from rice_stream.store.horizon import minutes_from_us
from rice_stream.store.recount import RECORDS_ONLY, STORED_ONLY, recount_sql
from rice_stream.store.totals_tables import CORRECTED, MINUTES, TotalsTable

_PLAIN = {measure: measure for measure in MEASURES}


def compare(connection: Connection, table: TotalsTable, part: Part, found: Differences) -> None:
    """Recount the buckets of a part that begin in it, and what of them corrections are, and add what differs."""
    _compare(connection, table, part, found, corrections=False)
    if table.tells_reported:
        _compare(connection, table, part, found, corrections=True)


def _compare(connection: Connection, table: TotalsTable, part: Part, found: Differences, *, corrections: bool) -> None:
    # Where records begin within a bucket, it holds more than can be recounted: compare from the next one on.
    folded_before_us = minutes_from_us(connection)
    bounds = part.whole_buckets(table).bounds(connection.dialect.name, folded_before_us)
    parameters = {**bounds, "limit": LISTED_MAX}
    statement = recount_sql(table, connection.dialect.name, corrections=corrections)
    rows = connection.execute(text(statement), parameters).mappings().all()
    if not rows:
        return
    differences: list[dict[str, Any]] = []
    for row in rows:
        if len(differences) >= found.room:
            break
        key = [row[name] for name in table.key_columns]
        columns = CORRECTED if corrections else _PLAIN
        stored = _stored(connection, table, key, columns, folded_before_us // SECOND_US)
        named = _named_key(connection, table, dict(zip(table.key_columns, key, strict=True)))
        differences += _differences(table, named, row, stored, columns)
    found.add(differences, int(rows[0]["measures_differing"]))


def _differences(
    table: TotalsTable, key: dict[str, Any], row: Any, stored: dict[str, int] | None, columns: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One entry per measure that differs; a row that is missing or too many is one entry, with its prompts."""
    common = {"table": table.name, "key": key, "problem": row["problem"]}
    if row["problem"] == RECORDS_ONLY:
        return [{**common, "measure": "prompts", "stored": None, "recomputed": -int(row["prompts"])}]
    values = stored or dict.fromkeys(MEASURES, 0)
    if row["problem"] == STORED_ONLY:
        return [{**common, "measure": "prompts", "stored": values["prompts"], "recomputed": None}]
    return [
        {**common, "measure": column, "stored": values[measure], "recomputed": values[measure] - int(row[measure])}
        for measure, column in columns.items()
        if row[measure]
    ]


def _stored(
    connection: Connection, table: TotalsTable, key: list[int], columns: Mapping[str, str], folded_before_s: int
) -> dict[str, int] | None:
    """What is stored under a key, in the columns by measure; of old minutes, of its quarter hour."""
    names = dict(zip(table.key_columns, key, strict=True))
    start_s = names[table.start]
    is_folded = table == MINUTES and start_s < folded_before_s
    names["end_s"] = start_s + SLOT_S if is_folded else table.ceil_s(start_s + 1)
    conditions = [f"{name} = :{name}" for name in table.key_columns if name != table.start]
    conditions.append(f"{table.start} >= :{table.start} AND {table.start} < :end_s")
    sums = ", ".join(f"COALESCE(SUM({column}), 0) AS {measure}" for measure, column in columns.items())
    statement = f"SELECT COUNT(*) AS stored_rows, {sums} FROM {table.name} WHERE {' AND '.join(conditions)}"
    row = connection.execute(text(statement), names).mappings().one()
    return {measure: int(row[measure]) for measure in MEASURES} if row["stored_rows"] else None


def _named_key(connection: Connection, table: TotalsTable, key: dict[str, int]) -> dict[str, Any]:
    """The key by the names it stands for; a number that stands for no name stays a number."""
    named: dict[str, Any] = {}
    looked_up = {
        "tenant_key": "SELECT tenant_id FROM tenant WHERE tenant_key = :tenant_key",
        "user_key": "SELECT name AS user_id FROM principal WHERE tenant_key = :tenant_key AND principal_key = :user_key",
        "attribution_key": "SELECT NULLIF(team_id, '') AS team_id, NULLIF(project_id, '') AS project_id,"
        " NULLIF(source, '') AS source FROM attribution"
        " WHERE tenant_key = :tenant_key AND attribution_key = :attribution_key",
        "factor_key": "SELECT model, region, method_version, factor_version FROM factor_use"
        " WHERE factor_key = :factor_key",
    }
    for name, value in key.items():
        if name == table.start:
            named[name.removesuffix("_s")] = rfc3339(value * SECOND_US)
            continue
        row = connection.execute(text(looked_up[name]), key).mappings().first()
        named.update(row if row is not None else {name: value})
    return named
