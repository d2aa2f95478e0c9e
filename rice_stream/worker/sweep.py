"""When budgets are judged: those of the tenants that a commit touched right after it, where it may have reached a threshold; all of
them every few seconds.

All of them are judged by one worker at a time, whoever has the lease: more workers do not ask the database more.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from rice_stream.alerting.judge import Judge
from rice_stream.errors import ServiceUnavailableError
from rice_stream.instants import epoch_us
from rice_stream.store.budget_store import UnreadableBudget
from rice_stream.store.engine import Engine
from rice_stream.store.lease import Lease
from rice_stream.worker.batch_pace import BatchPace
from rice_stream.worker.headroom import Headroom
from rice_stream.worker.health import Telemetry

log = logging.getLogger(__name__)

_LEASE_MIN_S = 6.0
"""Longer than most pauses of a process that lives; a sweep by two at once is harmless, only more work."""


def sweep_lease(engine: Engine, sweep_s: float) -> Lease:
    """The right to judge all budgets; another worker has it three sweeps after its holder was last heard of."""
    return Lease(engine, "judge all budgets", uuid4().hex, seconds=max(_LEASE_MIN_S, 3 * sweep_s))


class BudgetSweep:
    """`touch` after every commit; `run` until cancelled. `on_change` is called when there is something in the outbox."""

    def __init__(
        self,
        judge: Judge,
        lease: Lease,
        telemetry: Telemetry,
        *,
        sweep_s: float,
        interval_s: float,
        pace: BatchPace,
        headroom: Headroom,
        on_change: Callable[[int, int], None],
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """`pace` is told how many budgets there are, `headroom` what they leave. `on_change` is told when it was judged, and when
        what was judged had been committed, in epoch microseconds. `now` says as of when budgets are judged; None: the machine's
        clock does."""
        self._judge = judge
        self._lease = lease
        self._metrics = telemetry.metrics
        self._heartbeat = telemetry.heartbeat
        self._sweep_s = sweep_s
        self._interval_s = interval_s
        self._pace = pace
        self._headroom = headroom
        self._on_change = on_change
        self._now = now or (lambda: datetime.now(UTC))
        self._touched: set[int] = set()
        self._touched_at: datetime | None = None
        """When the first of them was."""
        self._unreadable: set[UnreadableBudget] = set()
        self._wake = asyncio.Event()

    def touch(self, tenant_keys: Collection[int]) -> None:
        """Totals of these tenants have changed."""
        if tenant_keys:
            self._touched.update(tenant_keys)
            self._touched_at = self._touched_at or self._now()
            self._wake.set()

    async def run(self) -> None:
        """Judge after commits, but not more often than the interval; and all budgets every sweep, whatever arrives:
        windows move with time, and another worker may have died before it judged."""
        next_sweep_s = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, next_sweep_s - time.monotonic())):
                    await self._wake.wait()
            touched, touched_at = self._take_touched()
            begun_s = time.monotonic()
            is_due = begun_s >= next_sweep_s
            if is_due and await self._has_lease():
                await self._judge_all(touched_at)
            else:
                if touched and self._pace.has_budgets:
                    await self._judge_touched(touched, touched_at)
                if is_due:
                    self._headroom.forget()
                    await self._look_for_budgets()
            if begun_s >= next_sweep_s:
                # A sweep that takes long leaves as much time again to the tenants that commits touch.
                next_sweep_s = begun_s + max(self._sweep_s, 2 * (time.monotonic() - begun_s))
            await asyncio.sleep(self._interval_s)

    def _take_touched(self) -> tuple[set[int], datetime | None]:
        self._wake.clear()
        touched, self._touched = self._touched, set()
        touched_at, self._touched_at = self._touched_at, None
        return touched, touched_at

    async def _judge_all(self, committed_at: datetime | None) -> None:
        """Many budgets take longer than an alert may: tenants that commits touch meanwhile are judged beside it."""
        judging = asyncio.create_task(self._judge_once(None, committed_at))
        waking: asyncio.Task[Any] = asyncio.create_task(self._wake.wait())
        try:
            while not judging.done():
                await asyncio.wait([judging, waking], return_when=asyncio.FIRST_COMPLETED)
                if waking.done() and not judging.done():
                    touched, touched_at = self._take_touched()
                    if self._pace.has_budgets:
                        await self._judge_touched(touched, touched_at)
                    await asyncio.wait([judging], timeout=self._interval_s)
                    waking = asyncio.create_task(self._wake.wait())
            await judging
        finally:
            judging.cancel()
            waking.cancel()

    async def _judge_touched(self, touched: set[int], touched_at: datetime | None) -> None:
        """Where what was committed surely reaches no threshold, they wait for others, or for the next sweep."""
        if self._headroom.covers({}):
            self._touched |= touched
            self._touched_at = touched_at
        else:
            await self._judge_once(touched, touched_at)

    async def finish(self) -> None:
        """Judge all a last time, before the worker leaves, and leave the sweeps to the others."""
        await asyncio.to_thread(self._judge.judge_all, self._now())
        await asyncio.to_thread(self._lease.release)

    async def _has_lease(self) -> bool:
        try:
            ours = await asyncio.to_thread(self._lease.acquire, time.time_ns() // 1000)
        except ServiceUnavailableError as error:
            self._heartbeat.set_problem("budgets", str(error))
            return False
        self._heartbeat.set_problem("budgets", None)
        return ours

    async def _look_for_budgets(self) -> None:
        """As a judgement of all does, which another worker makes."""
        try:
            found = await asyncio.to_thread(self._judge.has_budgets)
        except ServiceUnavailableError as error:
            self._heartbeat.set_problem("budgets", str(error))
            return
        self._pace.judged(int(found), of_all_tenants=True)

    async def _judge_once(self, tenant_keys: set[int] | None, committed_at: datetime | None) -> None:
        now, begun = self._now(), self._headroom.judging(of_all_tenants=tenant_keys is None)
        try:
            with self._metrics.judge_seconds.time():
                judgement = await asyncio.to_thread(self._judge.judge_all, now, tenant_keys)
        except ServiceUnavailableError as error:
            self._heartbeat.set_problem("budgets", str(error))
            log.warning("budgets were not judged, trying again: %s", error)
            self._touched_at = committed_at or self._touched_at
            self._headroom.forget()
            return
        self._heartbeat.set_problem("budgets", None)
        self._pace.judged(judgement.budgets, of_all_tenants=tenant_keys is None)
        self._headroom.judged(begun, judgement.rooms, of_all_tenants=tenant_keys is None)
        if tenant_keys is None:
            self._report(set(judgement.unreadable))
        if judgement.changes:
            self._on_change(epoch_us(now), epoch_us(committed_at or now))

    def _report(self, unreadable: set[UnreadableBudget]) -> None:
        """One budget that cannot be read is no reason to stop or not to be ready: it is counted, and logged once."""
        self._metrics.budgets_unreadable.set(len(unreadable))
        for bad in unreadable - self._unreadable:
            log.warning("budget %r of %r is not judged: %s", bad.name, bad.tenant_id, bad.problem)
        self._unreadable = unreadable
