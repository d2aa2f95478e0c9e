"""What the totals tables are: their buckets and keys, and which prompts each one counts.

The schema, the writers, budgets, `totals` and `verify` all read them here. Loads neither SQLAlchemy nor numpy.
"""

from datetime import UTC, datetime
from typing import NamedTuple, Optional

from rice_stream.instants import DAY_S, HOUR_S, MINUTE_S, SECOND_US, SLOT_S, datetime_of, epoch_s
from rice_stream.quantities import MEASURES

CORRECTED = {measure: f"corrected_{measure}" for measure in MEASURES}
"""Measure -> the column that has what corrections have added to its sum, null where there were none: without it, it is what was
reported."""


class TotalsTable(NamedTuple):
    """A table of sums: one row per tenant, bucket of time and combination of dimensions."""

    name: str
    start: str
    """The column that holds the start of the bucket, in epoch seconds."""
    bucket_s: int
    """How long a bucket is; of months, at most."""
    dimensions: tuple[str, ...] = ()
    """The columns of the key that come after the tenant and the bucket."""
    watched_only: bool = False
    """Counts the prompts of watched users only (store/watching.py says why)."""
    tells_reported: bool = False
    """Whether its rows have the columns of CORRECTED: reports sum it."""
    finer: Optional["TotalsTable"] = None
    """The table whose buckets add up to those of this one; it may know more dimensions."""

    @property
    def by_month(self) -> bool:
        """Whether its buckets are months of UTC; all others have one length."""
        return self.bucket_s == _MONTH_MAX_S

    def floor_s(self, moment_s: int) -> int:
        """The start of the bucket that an instant lies in, in epoch seconds."""
        return _month_floor_s(moment_s) if self.by_month else moment_s - moment_s % self.bucket_s

    def ceil_s(self, moment_s: int) -> int:
        """The start of the first bucket that does not begin before an instant."""
        start_s = self.floor_s(moment_s)
        return start_s if start_s == moment_s else self.floor_s(start_s + self.bucket_s)

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The primary key, in its order."""
        return ("tenant_key", self.start, *self.dimensions)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that batches write, in their order."""
        return (*self.key_columns, *MEASURES)

    @property
    def corrected_columns(self) -> tuple[str, ...]:
        """Those that come after them, and that corrections alone write."""
        return tuple(CORRECTED.values()) if self.tells_reported else ()


_MONTH_MAX_S = 31 * DAY_S
_CALENDAR_END_S = epoch_s(datetime(9999, 12, 1, tzinfo=UTC))
"""Python's calendar has no month after this one; nothing is recorded there."""


def _month_floor_s(moment_s: int) -> int:
    if moment_s >= _CALENDAR_END_S:
        return moment_s
    return epoch_s(datetime_of(moment_s * SECOND_US).replace(day=1, hour=0, minute=0, second=0))


MINUTES = TotalsTable("minute_total", "minute_start_s", MINUTE_S, tells_reported=True)
SLOTS = TotalsTable("slot_total", "slot_start_s", SLOT_S, ("attribution_key", "factor_key"), tells_reported=True)
USER_SLOTS = TotalsTable(
    "user_slot_total", "slot_start_s", SLOT_S, ("user_key", "attribution_key", "factor_key"), watched_only=True
)
# Days of UTC: what keeps a month's budget, however often it is judged, from adding up all of its minutes.
TENANT_DAYS = TotalsTable("tenant_day_total", "day_start_s", DAY_S, finer=MINUTES)
DAYS = TotalsTable("day_total", "day_start_s", DAY_S, SLOTS.dimensions, tells_reported=True, finer=SLOTS)
# What knows no attribution is a tenth of the rows: models by the hour, and what the ranges of all tenants' totals are made of.
FACTOR_HOURS = TotalsTable(
    "factor_hour_total", "hour_start_s", HOUR_S, ("factor_key",), tells_reported=True, finer=SLOTS
)
FACTOR_DAYS = TotalsTable(
    "factor_day_total", "day_start_s", DAY_S, FACTOR_HOURS.dimensions, tells_reported=True, finer=FACTOR_HOURS
)
# What the range of a total over a year is made of: every use of factors on every day would be too many rows to look at.
MONTHS = TotalsTable(
    "month_total", "month_start_s", _MONTH_MAX_S, FACTOR_DAYS.dimensions, tells_reported=True, finer=FACTOR_DAYS
)

TOTALS_TABLES = (MINUTES, SLOTS, USER_SLOTS, FACTOR_HOURS, TENANT_DAYS, DAYS, FACTOR_DAYS, MONTHS)
"""All of them, in the order in which every writer adds to them, so that no two writers can deadlock.

Days and months come last: workers that are at different hours share these rows, and whoever has written one makes the others
wait until its transaction ends.
"""


def days_by_factor(*, attributed: bool) -> TotalsTable:
    """Days of UTC by the use of factors; `attributed`: the attribution has to be known as well, in ten times as many rows."""
    return DAYS if attributed else FACTOR_DAYS


def coarser(table: TotalsTable) -> TotalsTable | None:
    """The table that adds up the buckets of this one and knows as much; None: there is none."""
    same = (other for other in TOTALS_TABLES if other.finer == table and other.dimensions == table.dimensions)
    return next(same, None)
