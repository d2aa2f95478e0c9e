"""What can be summed, by which names, and what for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from rice_stream.instants import DAY_S, SECOND_US
from rice_stream.quantities import MEASURES
from rice_stream.reports.spans import Span
from rice_stream.reports.tier_words import TIER_OF_ROW
from rice_stream.store import totals_tables
from rice_stream.store.factor_spreads import ENDS
from rice_stream.store.record_measures import of_record
from rice_stream.store.scope import Scope
from rice_stream.store.totals_tables import TotalsTable

Group = tuple[Any, ...]
"""The values of the fields that a report is broken down by."""


_RECORDS, _ENTRIES, _ARCHIVED = "prompt_record", "adjustment_entry", "archived"


@dataclass(frozen=True, slots=True)
class SummedTable:
    """A table that can be summed, and the dimensions (key columns) that its rows know.

    `start` and `totals` are None for records and the entries that correct them, which have an instant of their own, as have sums of
    archived records.
    """

    table: str
    start: str | None
    totals: TotalsTable | None
    dimensions: frozenset[str]
    condition: str = ""
    """Which rows of a table are meant, of row `m`; "": all of them."""
    sign: str = ""
    """`-`: what the rows say is taken away."""
    is_reported: bool = False
    """Of totals: without what corrections have added."""

    @classmethod
    def of(cls, totals: TotalsTable) -> "SummedTable":
        """A totals table."""
        return cls(totals.name, totals.start, totals, frozenset(totals.dimensions))

    @property
    def position(self) -> str:
        """The column that says when, and its unit below a second for the records."""
        return f"m.{self.start}" if self.start else "m.ended_at_us"

    @property
    def has_keys(self) -> bool:
        """Whether its rows are of one event each, and have its key."""
        return self.table in (_RECORDS, _ENTRIES)

    @property
    def is_archived(self) -> bool:
        """Whether its rows are no table's of the database, but given to the statement."""
        return self.table == _ARCHIVED

    @property
    def at_s(self) -> str:
        """When, in epoch seconds."""
        return f"m.{self.start}" if self.start else f"(m.ended_at_us / {SECOND_US})"

    def bound(self, moment_us: int) -> int:
        """An instant in the unit of `position`."""
        return moment_us // SECOND_US if self.start else moment_us

    @property
    def as_reported(self) -> "SummedTable":
        """A totals table without what corrections have added."""
        return replace(self, is_reported=True)

    def value(self, measure: str) -> str:
        """What a row adds to the sum of a measure."""
        if self.is_reported:
            return f"m.{measure} - COALESCE(m.{totals_tables.CORRECTED[measure]}, 0)"
        value = of_record(measure, "m") if self.table == _RECORDS else f"m.{measure}"
        return f"{self.sign}{value}"


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
# Totals are as of now: what they were before is what is left without these.
RECORDED_SINCE = SummedTable(_RECORDS, None, None, _OF_EACH_PROMPT, "m.recorded_us > :as_of_us", "-")
CORRECTED_SINCE = SummedTable(_ENTRIES, None, None, _OF_EACH_PROMPT, "m.counted = 1 AND m.recorded_us > :as_of_us", "-")
LATE_UNTIL = SummedTable(_ENTRIES, None, None, _OF_EACH_PROMPT, "m.counted = 0 AND m.recorded_us <= :as_of_us", "-")
"""What came into a month after it was closed: records have it, and it is no part of what was reported."""
LATE_SINCE = SummedTable(_ENTRIES, None, None, _OF_EACH_PROMPT, "m.counted = 0 AND m.recorded_us > :as_of_us", "-")
"""The same in the place of RECORDED_SINCE, of months that were closed by then: entries are kept when records are dropped."""
ARCHIVED = SummedTable(_ARCHIVED, None, None, _OF_EACH_PROMPT, "m.is_since = 0")
"""In the place of RECORDS that have been dropped: what is in the archive of them, added up (`archived_sums`)."""
ARCHIVED_SINCE = SummedTable(_ARCHIVED, None, None, _OF_EACH_PROMPT, "m.is_since = 1", "-")
"""The same in the place of RECORDED_SINCE."""
ARCHIVED_COLUMNS = (
    "tenant_key",
    "attribution_key",
    "factor_key",
    "user_key",
    "basis_flags",
    "ended_at_us",
    "is_since",
    *MEASURES,
)
"""Of the rows of ARCHIVED, in their order: a statement is given them as a parameter, JSON arrays of whole numbers in an array."""
ARCHIVED_ROWS = {
    "postgresql": "SELECT {} FROM jsonb_array_elements(CAST(:archived AS jsonb)) x".format(
        ", ".join(f"CAST(x.value ->> {place} AS BIGINT) AS {name}" for place, name in enumerate(ARCHIVED_COLUMNS))
    ),
    "sqlite": "SELECT {} FROM json_each(:archived) x".format(
        ", ".join(f"json_extract(x.value, '$[{place}]') AS {name}" for place, name in enumerate(ARCHIVED_COLUMNS))
    ),
}
"""The same as a table, in SQL."""
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
    "cost_centre": Field("NULLIF(a.cost_centre, '')", "attribution_key"),
    "user": Field("u.name", "user_key"),
    "provider": Field("NULLIF(f.provider, '')", "factor_key"),
    "model": Field("f.model", "factor_key"),
    "region": Field("f.region", "factor_key"),
    "data_tier": Field(TIER_OF_ROW, "factor_key"),
    "basis": Field("b.names", "basis_flags"),
    "day": Field(f"{{first_day}} + ({{at_s}} - {{origin_s}}) / {DAY_S}"),
    # One span for each month, which says its number in the place of a day's.
    "month": Field("CAST({first_day} AS BIGINT)"),
    "hour": Field("{at_s} - {at_s} % 3600"),
}

NAMES_TENANT = frozenset({"tenant", "data_tier"})
"""Fields for which the tenant's name has to be known: how well nobody's prompts are known is one of the words for it."""
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


PART_MEASURES = (*ENDS, "embodied_ugco2e")
"""What is told of the parts of a sum: what its range is made of, and the embodied carbon whose range depends on the hardware."""
Parts = dict[int, list[int]]
"""Key of a use of factors -> sums of PART_MEASURES: what a sum is made up of, in these shares."""

SHOWN, SHARES, BOTH = PURPOSES = 0, 1, 2
"""What rows are summed for: what is shown, what its range is made of, or both. With several questions in one statement the
purposes of the next one come after those of the one before."""


class Summed(NamedTuple):
    """The sums of a group that are shown, and the shares in which the uses of factors make them up."""

    question: int
    """Which of several questions of one statement it is of: `purpose // len(PURPOSES)`."""
    group: Group
    sums: list[int] | None
    """None: there are only shares, of quarter hours at an edge."""
    parts: Parts


class SummandShape(NamedTuple):
    """What the text of a summand depends on: not on when, and not on whose it is."""

    source: SummedTable
    purpose: int
    by_factor: bool
    measures: tuple[str, ...]
    spans: int
    """Rows of its table of spans; 0: one span, whose bounds stand in the statement."""
