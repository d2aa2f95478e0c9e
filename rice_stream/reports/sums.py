"""What can be summed, by which names, and the statement that does it: any number of tables at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import TextClause, text

from rice_stream.instants import DAY_S, SECOND_US
from rice_stream.quantities import IMPACT_COLUMNS, MEASURES
from rice_stream.reports.spans import Span
from rice_stream.store import totals_tables
from rice_stream.store.scope import Scope
from rice_stream.store.totals_tables import TotalsTable

Group = tuple[Any, ...]
"""The values of the fields that a report is broken down by."""


_RECORDS, _ENTRIES = "prompt_record", "adjustment_entry"


@dataclass(frozen=True, slots=True)
class SummedTable:
    """A table that can be summed, and the dimensions (key columns) that its rows know.

    `start` and `totals` are None for records and the entries that correct them, which have an instant of their own.
    """

    table: str
    start: str | None
    totals: TotalsTable | None
    dimensions: frozenset[str]
    condition: str = ""
    """Which rows of a table are meant, of row `m`; "": all of them."""
    sign: str = ""
    """`-`: what the rows say is taken away."""

    @classmethod
    def of(cls, totals: TotalsTable) -> "SummedTable":
        """A totals table."""
        return cls(totals.name, totals.start, totals, frozenset(totals.dimensions))

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

    def value(self, measure: str) -> str:
        """What a row adds to the sum of a measure: an unknown token count adds nothing."""
        if self.table != _RECORDS:
            return f"{self.sign}m.{measure}"
        if measure == "prompts":
            return f"{self.sign}1"
        return f"{self.sign}COALESCE(m.{measure}, 0)" if measure.endswith("_tokens") else f"{self.sign}m.{measure}"

    def impacts(self) -> tuple[str, ...]:
        """What a row adds to the prompts whose method gives impacts, to their embodied carbon and to their water."""
        if self.table != _RECORDS:
            return tuple(f"{self.sign}m.{name}" for name in ("impact_prompts", *IMPACT_COLUMNS))
        counted = f"{self.sign}(CASE WHEN m.{IMPACT_COLUMNS[0]} IS NULL THEN 0 ELSE 1 END)"
        return (counted, *(f"{self.sign}COALESCE(m.{name}, 0)" for name in IMPACT_COLUMNS))


MINUTES = SummedTable.of(totals_tables.MINUTES)
TENANT_DAYS = SummedTable.of(totals_tables.TENANT_DAYS)
SLOTS = SummedTable.of(totals_tables.SLOTS)
DAYS = SummedTable.of(totals_tables.DAYS)
FACTOR_HOURS = SummedTable.of(totals_tables.FACTOR_HOURS)
FACTOR_DAYS = SummedTable.of(totals_tables.FACTOR_DAYS)
MONTHS = SummedTable.of(totals_tables.MONTHS)
_OF_EACH_PROMPT = frozenset({"attribution_key", "factor_key", "user_key", "basis_flags"})
RECORDS = SummedTable(_RECORDS, None, None, _OF_EACH_PROMPT)
ENTRIES = SummedTable(_ENTRIES, None, None, _OF_EACH_PROMPT, "m.counted = 1")
"""What corrects records; totals hold it, so that records and these are as much as totals."""
# Totals are as of now, and as corrected: what they were before, and what was reported, is what is left without these.
RECORDED_SINCE = SummedTable(_RECORDS, None, None, _OF_EACH_PROMPT, "m.recorded_us > :as_of_us", "-")
CORRECTED_SINCE = SummedTable(_ENTRIES, None, None, _OF_EACH_PROMPT, "m.counted = 1 AND m.recorded_us > :as_of_us", "-")
CORRECTED_UNTIL = SummedTable(_ENTRIES, None, None, _OF_EACH_PROMPT, "m.recorded_us <= :as_of_us", "-")
NOW_US = 2**63 - 1
"""In the place of the instant that is asked for: everything that is known."""


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
    "day": Field(f"{{first_day}} + ({{at_s}} - {{origin_s}}) / {DAY_S}"),
    # One span for each month, which says its number in the place of a day's.
    "month": Field("CAST({first_day} AS BIGINT)"),
    "hour": Field("{at_s} - {at_s} % 3600"),
}

_TENANT = "JOIN tenant t ON t.tenant_key = m.tenant_key"
_JOINS = {
    "attribution_key": "JOIN attribution a ON a.tenant_key = m.tenant_key AND a.attribution_key = m.attribution_key",
    "factor_key": "JOIN factor_use f ON f.factor_key = m.factor_key",
    "user_key": "LEFT JOIN principal u ON u.tenant_key = m.tenant_key AND u.principal_key = m.user_key",
    "basis_flags": "JOIN basis b ON b.basis_flags = m.basis_flags",
}


_TIMED = ("day", "month", "hour")
NO_FACTOR = -1
"""In the place of the key of a use of factors, in sums that are not told apart by it."""


def dimensions_of(fields: Sequence[str]) -> frozenset[str]:
    """The key columns that these fields need."""
    return frozenset(dimension for name in fields if (dimension := FIELDS[name].dimension))


def dimensions_within(scope: Scope, fields: Sequence[str]) -> frozenset[str]:
    """The key columns that a table must have for these fields in a scope: teams are known by the attribution only."""
    return dimensions_of(fields) | ({"attribution_key"} if scope.teams else frozenset())


class Summand(NamedTuple):
    """What is summed of one table, and what for; `by_factor`: each use of factors (`factor_key`) on its own.

    `measures` are those that are wanted; the others count as 0.
    """

    source: SummedTable
    spans: Sequence[Span]
    purpose: int = 0
    by_factor: bool = False
    measures: tuple[str, ...] = MEASURES
    one_zone: bool = False
    """Whether the tenants all have the time zone of the spans."""


class Summed(NamedTuple):
    """The sums of the summands of one purpose, of one group; `factor_key` is NO_FACTOR where they are not told apart by it."""

    purpose: int
    factor_key: int
    digest: bytes | None
    """Of the use of factors."""
    group: Group
    sums: list[int]


# --- the statement ---------------------------------------------------------------------------------------------------


class SummandShape(NamedTuple):
    """What the text of a summand depends on: not on when, and not on whose it is."""

    source: SummedTable
    purpose: int
    by_factor: bool
    measures: tuple[str, ...]
    spans: int
    """Rows of its table of spans; 0: one span, whose bounds stand in the statement."""


@lru_cache(maxsize=512)
def statement_of(
    shapes: tuple[SummandShape, ...],
    fields: tuple[str, ...],
    conditions: str,
    *,
    impacts: bool,
    is_one: bool,
    dialect: str,
) -> TextClause:
    """(purpose, key and digest of the use of factors, values of the fields, sums) of all MEASURES, or of the `impacts`.

    On PostgreSQL the sums are one text, which is read in a fraction of the time that as many NUMERICs take.

    Kept, so that neither we nor SQLAlchemy make it twice. Rows are added up by their keys, and only what is left is given names:
    that takes half the time.
    """
    dimensions = sorted(dimensions_of(fields))
    keys = ["purpose", "used_factor", *_tenant_key(fields, ""), *dimensions]
    keys += [f"{name}_" for name in fields if name in _TIMED]
    places = range(len(RECORDS.impacts()) if impacts else len(MEASURES))
    spans = [
        f"span_{number} (time_zone, low, high, origin_s, first_day) AS (VALUES {_span_rows(number, shape.spans)}), "
        for number, shape in enumerate(shapes)
        if shape.spans
    ]
    # Nothing is added up faster than 0; of the type of the other sums, so that PostgreSQL takes the tables as one.
    nothing = "CAST(NULL AS NUMERIC)" if dialect == "postgresql" else "NULL"
    rows = "\nUNION ALL ".join(
        _rows(number, shape, fields, conditions, nothing, impacts=impacts) for number, shape in enumerate(shapes)
    )
    wanted = ["m.purpose", "m.used_factor", "d.digest"]
    wanted += [f"m.{name}_" if name in _TIMED else FIELDS[name].value for name in fields]
    sums = [f"COALESCE(SUM(m.s{place}), 0)" for place in places]
    if dialect == "postgresql":
        sums = [f"CONCAT_WS(' ', {', '.join(sums)})"]
    return text(
        f"""
WITH {"".join(spans)}m AS (
SELECT {", ".join([*keys, *(f"SUM(s{place}) AS s{place}" for place in places)])} FROM ({rows}) r
GROUP BY {_first(len(keys))}
)
SELECT {", ".join([*wanted, *sums])}
FROM m LEFT JOIN factor_use d ON d.factor_key = m.used_factor {" ".join(_joins(fields, is_one=is_one))}
GROUP BY {_first(len(wanted))}"""
    )


def _joins(fields: Sequence[str], *, is_one: bool) -> list[str]:
    """What gives names to keys; of one tenant, only its own names are read."""
    own = {"tenant": "t", "attribution_key": "a", "user_key": "u"} if is_one else {}
    joins = [("tenant", _TENANT)] if "tenant" in fields else []
    joins += [(dimension, _JOINS[dimension]) for dimension in sorted(dimensions_of(fields))]
    return [join + (f" AND {own[name]}.tenant_key = :tenant_key" if name in own else "") for name, join in joins]


def _tenant_key(fields: Sequence[str], row: str) -> list[str]:
    """Only where something is named by it: the days of all tenants together are few."""
    named = "tenant" in fields or dimensions_of(fields) & {"attribution_key", "user_key"}
    return [f"{row}tenant_key"] if named else []


def _rows(
    number: int, shape: SummandShape, fields: tuple[str, ...], conditions: str, nothing: str, *, impacts: bool
) -> str:
    """The rows of a summand with their keys."""
    source = shape.source
    keys = [f"{shape.purpose} AS purpose", f"{'m.factor_key' if shape.by_factor else NO_FACTOR} AS used_factor"]
    keys += [*_tenant_key(fields, "m."), *(f"m.{dimension}" for dimension in sorted(dimensions_of(fields)))]
    origin_s, first_day = ("s.origin_s", "s.first_day") if shape.spans else (f":origin_{number}", f":day_{number}")
    timed = {name: FIELDS[name].value for name in fields if name in _TIMED}
    keys += [
        f"{value.format(at_s=source.at_s, origin_s=origin_s, first_day=first_day)} AS {name}_"
        for name, value in timed.items()
    ]
    sums = [source.value(name) if name in shape.measures else nothing for name in MEASURES]
    if impacts:
        sums = list(source.impacts())
    wanted = [f"{source.position} >= :low_{number} AND {source.position} < :high_{number}", conditions]
    if source.condition:
        wanted.append(source.condition)
    if source.start is None:
        wanted.append(f"m.event_key >= :key_low_{number} AND m.event_key < :key_high_{number}")
    joined = ""
    if shape.spans:
        joined = f" JOIN tenant t ON t.tenant_key = m.tenant_key JOIN span_{number} s ON s.time_zone = t.time_zone"
        wanted.append(f"{source.position} >= s.low AND {source.position} < s.high")
    named = ", ".join([*keys, *(f"{each} AS s{place}" for place, each in enumerate(sums))])
    return f"SELECT {named} FROM {source.table} m{joined} WHERE {' AND '.join(wanted)}"


def _first(count: int) -> str:
    """`1, 2, 3`: the first columns of a SELECT."""
    return ", ".join(str(place + 1) for place in range(count))


def _span_rows(number: int, count: int) -> str:
    """Time zone, bounds, and how to count local days between them."""
    return ", ".join(
        f"(CAST(:zone_{number}_{row} AS TEXT), CAST(:low_{number}_{row} AS BIGINT), CAST(:high_{number}_{row} AS BIGINT),"
        f" CAST(:origin_{number}_{row} AS BIGINT), CAST(:day_{number}_{row} AS BIGINT))"
        for row in range(count)
    )
