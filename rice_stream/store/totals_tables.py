"""What the totals tables are: their buckets and keys, and which prompts each one counts.

The schema, the writers, budgets, `totals` and `verify` all read them here. Loads neither SQLAlchemy nor numpy.
"""

from typing import NamedTuple, Optional

from rice_stream.instants import DAY_S, MINUTE_S, SLOT_S
from rice_stream.quantities import MEASURES


class TotalsTable(NamedTuple):
    """A table of sums: one row per tenant, bucket of time and combination of dimensions."""

    name: str
    start: str
    """The column that holds the start of the bucket, in epoch seconds."""
    bucket_s: int
    dimensions: tuple[str, ...] = ()
    """The columns of the key that come after the tenant and the bucket."""
    watched_only: bool = False
    """Counts the prompts of watched users only (store/watching.py says why)."""
    finer: Optional["TotalsTable"] = None
    """The table with the same dimensions whose buckets add up to those of this one."""

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The primary key, in its order."""
        return ("tenant_key", self.start, *self.dimensions)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in their order."""
        return (*self.key_columns, *MEASURES)


MINUTES = TotalsTable("minute_total", "minute_start_s", MINUTE_S)
SLOTS = TotalsTable("slot_total", "slot_start_s", SLOT_S, ("attribution_key", "factor_key"))
USER_SLOTS = TotalsTable(
    "user_slot_total", "slot_start_s", SLOT_S, ("user_key", "attribution_key", "factor_key"), watched_only=True
)
# Days of UTC: what keeps a month's budget, however often it is judged, from adding up all of its minutes.
TENANT_DAYS = TotalsTable("tenant_day_total", "day_start_s", DAY_S, finer=MINUTES)
DAYS = TotalsTable("day_total", "day_start_s", DAY_S, SLOTS.dimensions, finer=SLOTS)

TOTALS_TABLES = (MINUTES, SLOTS, USER_SLOTS, TENANT_DAYS, DAYS)
"""All of them, in the order in which every writer adds to them, so that no two writers can deadlock.

Days come last: workers that are at different hours of a day share these rows, and whoever has written one makes the
others wait until its transaction ends.
"""


def coarser(table: TotalsTable) -> TotalsTable | None:
    """The table that adds up the buckets of this one; None: there is none."""
    return next((other for other in TOTALS_TABLES if other.finer == table), None)
