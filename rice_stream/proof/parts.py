"""The parts in which totals are recounted: each is compared by one statement, and every row of every table lies in one."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from rice_stream.instants import FOREVER_S, SECOND_US, epoch_s
from rice_stream.store.partitions import existing_months, month_start
from rice_stream.store.recount import record_bounds
from rice_stream.store.totals_tables import TotalsTable

_TENANT_KEY_END = 2**31 - 1


class Part(NamedTuple):
    """Tenants and times in epoch seconds; the lower bounds belong to it."""

    tenant_low: int
    tenant_high: int
    low_s: int
    high_s: int

    def whole_buckets(self, table: TotalsTable) -> "Part":
        """The part from the first bucket on that begins in it: one that began before holds more than the part has."""
        return self._replace(low_s=table.ceil_s(self.low_s))

    def widened(self, table: TotalsTable, kept_from_s: int) -> "Part":
        """The part with all of the buckets that it touches, but for one whose records are not all kept from `kept_from_s` on."""
        low_s = table.floor_s(self.low_s)
        return self._replace(
            low_s=low_s if low_s >= kept_from_s else table.ceil_s(self.low_s), high_s=table.ceil_s(self.high_s)
        )

    def bounds(self, dialect: str, minutes_from_us: int) -> dict[str, Any]:
        """What the statements of `store/recount.py` ask for; before `minutes_from_us` minutes are quarter hours."""
        records = record_bounds(dialect, self.low_s, self.high_s)
        return {**self._asdict(), **records, "folded_before_s": minutes_from_us // SECOND_US}


def parts(
    connection: Connection, low_s: int, high_s: int = FOREVER_S, *, tenant_key: int | None = None
) -> Iterator[Part]:
    """Months on PostgreSQL, whose partitions they are; tenants on SQLite, whose records lie in order of tenants."""
    first, last = (0, _TENANT_KEY_END) if tenant_key is None else (tenant_key, tenant_key + 1)
    if connection.dialect.name == "postgresql":
        months = [epoch_s(month_start(month)) for month in existing_months(connection)]
        edges = [low_s, *(edge for edge in months if low_s < edge < high_s), high_s]
        for low, high in pairwise(edges):
            yield Part(first, last, low, high)
        return
    keys = list(connection.execute(text("SELECT tenant_key FROM tenant ORDER BY tenant_key")).scalars())
    # The first and the last part are open, so that rows of a tenant without a name are compared as well.
    tenants = [first, *(key for key in keys[1:] if first < key < last), last]
    for low, high in pairwise(tenants):
        yield Part(low, high, low_s, high_s)
