"""Closing months of test ledgers: everything accepted, or with a checklist that finds nothing."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine

from rice_stream.channels.months import Month
from rice_stream.ledger.checklist import ChecklistLine
from rice_stream.ledger.closing import CloseOrder, Closing
from rice_stream.store.period_leaves import MonthBounds
from rice_stream.store.period_store import StoredPeriod
from tests.support.audited import BOX
from tests.support.fakes import OPERATOR


def all_in_order(_bounds: MonthBounds) -> Sequence[ChecklistLine]:
    """A checklist without a finding."""
    return []


def closing_of(engine: Engine, **changes: Any) -> Closing:
    """How months of the ledger are closed."""
    what = {"box": BOX, "checks": all_in_order, "by": OPERATOR, "version": "test", **changes}
    return Closing(engine, **what)


def close(
    engine: Engine, month: str, tenant: str = "acme", *, soft: bool = False, time_zone: str = "UTC", **changes: Any
) -> StoredPeriod:
    """Close a month of a tenant whose months are those of the time zone."""
    return closing_of(engine, **changes).close(CloseOrder(tenant, Month.of(month, time_zone), soft=soft))
