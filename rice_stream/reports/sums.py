"""Sums of a totals table, or of the records themselves, by any of the names a report can be broken down by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from rice_stream.instants import DAY_S, SECOND_US
from rice_stream.quantities import IMPACT_COLUMNS, MEASURES
from rice_stream.reports.spans import Span
from rice_stream.store import totals_tables
from rice_stream.store.event_key_columns import key_bounds
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_id_in
from rice_stream.store.totals_tables import TotalsTable

Group = tuple[Any, ...]
"""The values of the fields that a report is broken down by."""


@dataclass(frozen=True, slots=True)
class SummedTable:
    """A table that can be summed, and the dimensions (key columns) that its rows know.

    `start` and `bucket_s` are None for the records, which have an instant of their own.
    """

    table: str
    start: str | None
    bucket_s: int | None
    dimensions: frozenset[str]

    @classmethod
    def of(cls, totals: TotalsTable) -> "SummedTable":
        """A totals table."""
        return cls(totals.name, totals.start, totals.bucket_s, frozenset(totals.dimensions))

    @property
    def position(self) -> str:
        """The column that says when, and its unit below a second for the records."""
        return f"m.{self.start}" if self.start else "m.ended_at_us"

    @property
    def at_s(self) -> str:
        """When, in epoch seconds."""
        return f"m.{self.start}" if self.start else f"(m.ended_at_us / {SECOND_US})"

    def bound(self, moment_us: int) -> int:
        """An instant in the unit of `position`."""
        return moment_us // SECOND_US if self.start else moment_us

    def total(self, measure: str) -> str:
        """The exact sum of a measure, which on PostgreSQL has any number of digits."""
        if self.start is None and measure == "prompts":
            return "COUNT(*)"
        return f"COALESCE(SUM(m.{measure}), 0)"


MINUTES = SummedTable.of(totals_tables.MINUTES)
TENANT_DAYS = SummedTable.of(totals_tables.TENANT_DAYS)
SLOTS = SummedTable.of(totals_tables.SLOTS)
DAYS = SummedTable.of(totals_tables.DAYS)
RECORDS = SummedTable(
    "prompt_record", None, None, frozenset({"attribution_key", "factor_key", "user_key", "basis_flags"})
)


class Field(NamedTuple):
    """Something to break down by: its value in SQL, and the key column whose names have to be joined for it."""

    value: str
    dimension: str | None = None


FIELDS = {
    "tenant": Field("t.tenant_id"),
    "team": Field("NULLIF(a.team_id, '')", "attribution_key"),
    "project": Field("NULLIF(a.project_id, '')", "attribution_key"),
    "user": Field("u.name", "user_key"),
    "provider": Field("NULLIF(f.provider, '')", "factor_key"),
    "model": Field("f.model", "factor_key"),
    "region": Field("f.region", "factor_key"),
    "basis": Field("b.names", "basis_flags"),
    "day": Field(f"s.first_day + ({{at_s}} - s.origin_s) / {DAY_S}"),
    "hour": Field("{at_s} - {at_s} % 3600"),
}

_JOINS = {
    "attribution_key": "JOIN attribution a ON a.tenant_key = m.tenant_key AND a.attribution_key = m.attribution_key",
    "factor_key": "JOIN factor_use f ON f.factor_key = m.factor_key",
    "user_key": "LEFT JOIN principal u ON u.tenant_key = m.tenant_key AND u.principal_key = m.user_key",
    "basis_flags": "JOIN basis b ON b.basis_flags = m.basis_flags",
}


FACTOR = "factor"
"""Breaks sums down by use of factors (its key): what a range is made of, and nothing that is shown."""
_VALUES = {**FIELDS, FACTOR: Field("m.factor_key", "factor_key")}
_TIMED = ("day", "hour")


def dimensions_of(fields: Sequence[str]) -> frozenset[str]:
    """The key columns that these fields need."""
    return frozenset(dimension for name in fields if (dimension := _VALUES[name].dimension))


def dimensions_within(scope: Scope, fields: Sequence[str]) -> frozenset[str]:
    """The key columns that a table must have for these fields in a scope: teams are known by the attribution only."""
    return dimensions_of(fields) | ({"attribution_key"} if scope.teams else frozenset())


def impact_sums(
    connection: Connection, scope: Scope, spans: Sequence[Span], fields: Sequence[str]
) -> dict[Group, list[int]]:
    """(prompts whose method gives them, their embodied carbon, their water), from the records, by the values of the fields."""
    counted = f"COUNT(m.{IMPACT_COLUMNS[0]})"
    return grouped_sums(
        connection, scope, RECORDS, spans, fields, sums=(counted, *(RECORDS.total(name) for name in IMPACT_COLUMNS))
    )


def grouped_sums(
    connection: Connection,
    scope: Scope,
    source: SummedTable,
    spans: Sequence[Span],
    fields: Sequence[str],
    measures: Sequence[str] = MEASURES,
    *,
    sums: Sequence[str] = (),
) -> dict[Group, list[int]]:
    """Sums of the measures (or `sums`, in SQL) within the spans, by the values of the fields, FACTOR among them; only groups
    with rows.

    `day` is the number of the local day since 1970-01-01, `hour` the epoch second at which the UTC hour begins. Where the scope
    has teams, the source has to know the attribution.
    """
    if not spans:
        return {}
    timed = {name: _VALUES[name].value.format(at_s=source.at_s) for name in fields if name in _TIMED}
    values = [f"m.{name}_" if name in timed else _VALUES[name].value for name in fields]
    dimensions = sorted(dimensions_of(fields))
    named = dimensions_of([name for name in fields if name != FACTOR])
    joins = [_JOINS[dimension] for dimension in sorted(named)]
    keys = ["m.tenant_key", *(f"m.{dimension}" for dimension in dimensions)]
    keys += [f"{value} AS {name}_" for name, value in timed.items()]
    inner = sums or [source.total(measure) for measure in measures]
    summed = [f"SUM(m.sum_{place})" for place in range(len(inner))]
    rows, parameters = _span_rows(source, spans)
    conditions = _constant_bounds(connection, source, spans, parameters)
    conditions += f" AND {tenant_id_in(scope)} AND {attribution_in(scope, 'm')}"
    parameters |= scope_parameters(scope)
    # The spans are a table: time zone, bounds, and how to count local days between them. Rows are added up by their keys, and
    # only what is left is given names: that takes half the time.
    statement = f"""
WITH span (time_zone, low, high, origin_s, first_day) AS (VALUES {rows}), keyed AS (
  SELECT {", ".join([*keys, *(f"{each} AS sum_{place}" for place, each in enumerate(inner))])}
  FROM tenant t
  JOIN span s ON s.time_zone = t.time_zone
  JOIN {source.table} m ON m.tenant_key = t.tenant_key AND {source.position} >= s.low AND {source.position} < s.high
  WHERE {conditions}
  GROUP BY {_first(len(keys))}
)
SELECT {", ".join([*values, *summed])}
FROM keyed m
JOIN tenant t ON t.tenant_key = m.tenant_key
{" ".join(joins)}
GROUP BY {_first(len(fields))}"""
    found = connection.execute(text(statement), parameters)
    return {tuple(row[: len(fields)]): list(row[len(fields) :]) for row in found}


def _first(count: int) -> str:
    """`1, 2, 3`: the first columns of a SELECT."""
    return ", ".join(str(place + 1) for place in range(count))


def _span_rows(source: SummedTable, spans: Sequence[Span]) -> tuple[str, dict[str, Any]]:
    zones = {zone: f"zone{k}" for k, zone in enumerate(dict.fromkeys(span.time_zone for span in spans))}
    rows = ", ".join(
        f"(CAST(:{zones[span.time_zone]} AS TEXT), CAST({source.bound(span.from_us)} AS BIGINT),"
        f" CAST({source.bound(span.to_us)} AS BIGINT), CAST({span.origin_s} AS BIGINT), {span.first_day})"
        for span in spans
    )
    return rows, {name: zone for zone, name in zones.items()}


def _constant_bounds(
    connection: Connection, source: SummedTable, spans: Sequence[Span], parameters: dict[str, Any]
) -> str:
    """The outermost bounds again, as constants: what the planner can use an index or a partition for."""
    low_us, high_us = min(span.from_us for span in spans), max(span.to_us for span in spans)
    conditions = f"{source.position} >= {source.bound(low_us)} AND {source.position} < {source.bound(high_us)}"
    if source is RECORDS:
        bounds = key_bounds(connection.dialect.name, low_us, high_us)
        parameters["key_low"], parameters["key_high"] = bounds
        conditions += " AND m.event_key >= :key_low AND m.event_key < :key_high"
    return conditions
