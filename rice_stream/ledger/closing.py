"""Closing a month of a tenant, in steps that may be cut short at any place: done again, they come to the same bytes.

First the month is marked, while no batch is in flight: from then on what is recorded or corrected in it comes late, and is posted
as entries that name it. Then its tree is made of its records and entries in one pass, in the order of their keys, with one more
leaf that asserts what they amount to. A soft close ends here; a hard close signs the tree. There is no way back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rice_stream.channels.months import Month
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.instants import rfc3339
from rice_stream.ledger.checklist import ChecklistLine, settled
from rice_stream.ledger.checkpoints import BrokenCheckpointError, SigningBox, sign_month
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Engine, reading, writing
from rice_stream.store.horizon import records_from_us
from rice_stream.store.period_building import built_month
from rice_stream.store.period_leaves import MonthBounds
from rice_stream.store.period_store import (
    MonthMark,
    StoredPeriod,
    calendar_bounds,
    find_period,
    mark,
    period_tree,
    save_state,
    save_tree,
)
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import snapshot
from rice_stream.store.stored_records import tenant_keys
from rice_stream.store.trying_again import tried_again

_MARK_TRIES = 10

Checks = Callable[[MonthBounds], Sequence[ChecklistLine]]
"""What the checklist finds of a month."""
Say = Callable[[str, int | None], None]
"""Is told what is being done, and how many records are done with, where that is known."""


@dataclass(frozen=True, slots=True)
class CloseOrder:
    """Which month is closed, how, and what of the checklist is accepted as it is: reasons by name."""

    tenant_id: str
    month: Month
    soft: bool = False
    accepted: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Closing:
    """How months of a ledger are closed: by whom, by which version, signed with which keys, and what is looked at before."""

    engine: Engine
    box: SigningBox
    checks: Checks
    by: Actor
    version: str

    def checklist(self, order: CloseOrder) -> list[ChecklistLine]:
        """What would be looked at. UsageError, NotFoundError: as from `close`."""
        return list(self.checks(self._bounds(order)))

    def check_order(self, order: CloseOrder) -> None:
        """What `close` refuses before it does anything. Errors as from there."""
        tenant_key = self._tenant_key(order)
        with reading(self.engine) as connection:
            is_marked = find_period(connection, tenant_key, order.month.name) is not None
        bounds = None if is_marked else self._bounds(order)
        self._check_signs(order)
        settled([] if bounds is None else self.checks(bounds), order.accepted)

    def close(self, order: CloseOrder, say: Say = lambda _step, _records: None) -> StoredPeriod:
        """Close a month, or what is left to do of it; one that is closed already stays as it is.

        Raises:
            UsageError: the month is not over, its records are gone, the checklist is not in order and not accepted, or nothing
                can be signed.
            NotFoundError: there is no such tenant.
            StoreUnavailableError: the database did not go on; the same order again goes on where it was.
            BrokenCheckpointError: what is stored is not what was closed.
        """
        tenant_key = self._tenant_key(order)
        with reading(self.engine) as connection:
            period = find_period(connection, tenant_key, order.month.name)
        bounds = self._bounds(order) if period is None else None
        self._check_signs(order)
        if period is None:
            assert bounds is not None  # noqa: S101
            say("going through the checklist", None)
            lines = settled(self.checks(bounds), order.accepted)
            say("waiting for batches in flight", None)
            period = tried_again(lambda: self._mark(order, tenant_key, lines), _MARK_TRIES)
        if period.root is None:
            period = self._make_tree(order, period, say)
        if order.soft:
            self._soft_close(order, period)
        elif period.state != "closed":
            say("signing", period.records)
            self._sign(order, period)
        return self._again(period)

    def _check_signs(self, order: CloseOrder) -> None:
        if not order.soft:
            self.box.seal_key("a month", bytes(32))  # without a key of secrets nothing is signed

    def _tenant_key(self, order: CloseOrder) -> int:
        with reading(self.engine) as connection:
            found = tenant_keys(connection).get(order.tenant_id)
        if found is None:
            raise NotFoundError(f"tenant {order.tenant_id!r}: there is none; `rice-stream tenant list` shows all")
        return found

    def _bounds(self, order: CloseOrder) -> MonthBounds:
        tenant_key = self._tenant_key(order)
        with reading(self.engine) as connection:
            low_us, high_us = calendar_bounds(connection, tenant_key, order.month)
            now_us, kept_from_us = database_now_us(connection), records_from_us(connection)
        which = f"{order.month.name} of {order.tenant_id}"
        if now_us < high_us:
            raise UsageError(f"month: {which} is not over before {rfc3339(high_us)}")
        if low_us < kept_from_us:
            raise UsageError(
                f"month: records of {which} have been dropped: they are kept from {rfc3339(kept_from_us)} on"
            )
        return MonthBounds(tenant_key, low_us, high_us, 0)

    def _mark(self, order: CloseOrder, tenant_key: int, lines: Sequence[Mapping[str, Any]]) -> StoredPeriod:
        what = MonthMark(tenant_key, order.tenant_id, order.month, lines, self.version)
        return mark(self.engine, what, self.by)

    def _make_tree(self, order: CloseOrder, period: StoredPeriod, say: Say) -> StoredPeriod:
        with snapshot(self.engine, EVERYTHING) as connection:
            built = built_month(connection, period, lambda records: say("making the tree", records))
        with writing(self.engine) as connection:
            save_tree(connection, period, built.tree, built.records, built.assertion)
        period = self._again(period)
        if period.root != built.tree.root_hash:
            raise BrokenCheckpointError(
                f"{order.month.name} of {order.tenant_id}: another tree of it was made; `rice-stream audit verify` says what was"
                " changed"
            )
        return period

    def _soft_close(self, order: CloseOrder, period: StoredPeriod) -> None:
        with writing(self.engine) as connection:
            if save_state(connection, period, "soft_closed", self.by):
                record(connection, self.by, [_change("period.soft_close", order, period)])

    def _sign(self, order: CloseOrder, period: StoredPeriod) -> None:
        with writing(self.engine) as connection:
            tree = period_tree(connection, period.tenant_key, period.month)
            assert tree is not None  # noqa: S101
            signed = sign_month(connection, self.box, f"{period.tenant_key}/{period.month}", tree, by=self.by)
            if save_state(connection, period, "closed", self.by, signed):
                record(connection, self.by, [_change("period.close", order, period)])

    def _again(self, period: StoredPeriod) -> StoredPeriod:
        with reading(self.engine) as connection:
            found = find_period(connection, period.tenant_key, period.month)
        assert found is not None  # noqa: S101
        return found


def _change(action: str, order: CloseOrder, period: StoredPeriod) -> AuditedChange:
    told = {"records": period.records, "entries": period.entries, "root": (period.root or b"").hex()}
    return AuditedChange(action, "period", period.month, order.tenant_id, after=told)
