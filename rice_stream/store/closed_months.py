"""Months that are closed, as writers see them: what is recorded or corrected in one from then on is posted under its name.

A month is marked while no batch is in flight (`period_store.mark`), and every batch looks here before it records: so of each
record it is known whether it was there when its month was closed.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from rice_stream.quantities import Ints
from rice_stream.store.audit import Actor
from rice_stream.store.batch import Records
from rice_stream.store.entries import ENTRY_COLUMNS, Entries, EntryGroup
from rice_stream.store.schema_periods import period

CLOSED_BEFORE_US = "(SELECT COALESCE(MAX(high_us), 0) FROM period)"
"""No month that is closed reaches beyond this instant: what ended later needs no look at them."""
LATE_BY = Actor("worker", "ledger")
LATE_REASON = "came after its month was closed"
"""Who posts what came late, and why."""


class ClosedMonth(NamedTuple):
    """A month that is closed or being closed, from `low_us` to before `high_us`."""

    tenant_key: int
    month: str
    low_us: int
    high_us: int

    def has(self, tenant_keys: Ints, ended_at_us: Ints) -> NDArray[np.bool_]:
        """Which prompts, by tenant and end, lie in it."""
        inside: NDArray[np.bool_] = (
            (tenant_keys == self.tenant_key) & (ended_at_us >= self.low_us) & (ended_at_us < self.high_us)
        )
        return inside


def closed_before_us(connection: Connection) -> int:
    """See CLOSED_BEFORE_US."""
    return connection.scalar(select(func.max(period.c.high_us))) or 0


def closed_months(connection: Connection, tenant_keys: Iterable[int], earliest_us: int) -> list[ClosedMonth]:
    """Those of the tenants that reach beyond `earliest_us`."""
    columns = [period.c[name] for name in ClosedMonth._fields]
    query = select(*columns).where(period.c.tenant_key.in_(sorted(set(tenant_keys))), period.c.high_us > earliest_us)
    return [ClosedMonth(*row) for row in connection.execute(query.order_by(period.c.tenant_key, period.c.low_us))]


def names_of(months: Sequence[ClosedMonth], tenant_key: int, ended_at_us: Ints) -> list[str]:
    """The closed months that some of these prompts of a tenant lie in."""
    tenant_keys = np.full(len(ended_at_us), tenant_key)
    return [each.month for each in months if each.has(tenant_keys, ended_at_us).any()]


def late_groups(records: Records, months: Sequence[ClosedMonth]) -> list[EntryGroup]:
    """What is posted of records that came late: a group for each closed month that some of them lie in.

    Records and totals hold these amounts already (`counted`); with the lines, what was reported of the month stays as it was.
    A record is recorded once, and so is its line: the keys are what the group is made for.
    """
    groups = []
    for each in months:
        rows = np.flatnonzero(each.has(records.columns["tenant_key"], records.columns["ended_at_us"]))
        if rows.size:
            entries = _entries(records.select(rows))
            keys = hashlib.blake2b(entries.event_keys.tobytes(), digest_size=16).hexdigest()
            groups.append(
                EntryGroup(
                    cause="late",
                    tenant_key=each.tenant_key,
                    made_for={"month": each.month, "keys": keys},
                    reason=LATE_REASON,
                    by=LATE_BY,
                    entries=entries,
                    detail={"closed_months": [each.month]},
                    counted=False,
                )
            )
    return groups


def _entries(records: Records) -> Entries:
    columns = {name: records.columns[name] for name in ENTRY_COLUMNS}
    return Entries(records.event_keys, columns, records.measures)
