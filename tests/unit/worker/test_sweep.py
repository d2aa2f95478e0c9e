"""The sweep goes on beside a budget that cannot be read, and says so where one looks."""

import asyncio
import threading
import time
from collections.abc import Collection
from datetime import UTC, datetime

import pytest

from rice_stream.alerting.budgets import remove_budget, set_budgets
from rice_stream.alerting.judge import Judge, Judgement
from rice_stream.budgets.parsing import parse_budget
from rice_stream.pipeline.tenant_amounts import TenantAmount, TenantAmounts
from rice_stream.store.engine import Engine
from rice_stream.store.lease import Lease
from rice_stream.worker.batch_pace import BatchPace
from rice_stream.worker.headroom import Headroom
from rice_stream.worker.health import Heartbeat, Telemetry
from rice_stream.worker.metrics import Metrics
from rice_stream.worker.sweep import BudgetSweep, sweep_lease
from tests.support.databases import SqliteDatabases
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import Store, open_store


class EnoughError(Exception):
    """The sweep has judged as often as the test wants."""


class CountedJudge(Judge):
    """Judges; removes the budget before the last of its four rounds, and ends the sweep after that."""

    rounds = 0

    def judge_all(self, now: datetime, tenant_keys: Collection[int] | None = None) -> Judgement:
        self.rounds += 1
        if self.rounds == 4:
            self.gauge_before = gauge(self.metrics)
            remove_budget(self.engine, "acme", "bad", OPERATOR)
        if self.rounds > 4:
            raise EnoughError
        return super().judge_all(now, tenant_keys)

    def __init__(self, engine: Engine, metrics: Metrics) -> None:
        super().__init__(engine)
        self.engine, self.metrics, self.gauge_before = engine, metrics, gauge(metrics)


def gauge(metrics: Metrics) -> float | None:
    """How many budgets cannot be read, as /metrics has it."""
    return metrics.registry.get_sample_value("rice_budgets_unreadable")


def test_a_budget_that_cannot_be_read_is_counted_and_logged_once(
    sqlite: SqliteDatabases, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker goes on and stays ready; when the budget is gone or mended, nothing is counted any more."""
    metrics, heartbeat, pace = Metrics(), Heartbeat(timeout_s=60), BatchPace(0.4)
    with open_store(sqlite.migrated()) as store:
        damage(store)
        judge = CountedJudge(store.engine, metrics)
        swept(judge, sweep_lease(store.engine, 1), Telemetry(metrics, heartbeat), pace)
    assert (judge.gauge_before, gauge(metrics)) == (1, 0)
    assert heartbeat.ready() == (True, {"problems": {}})
    assert pace.wait_s == pace.wait_max_s, "and without a budget batches are further apart"
    [logged] = [record.getMessage() for record in caplog.records if record.name == "rice_stream.worker.sweep"]
    assert logged.startswith("budget 'bad' of 'acme' is not judged: ")


class LookingJudge(Judge):
    """Another worker judges all; the first budget is there when this one has looked twice, and the fourth look ends it."""

    def __init__(self, engine: Engine, pace: BatchPace) -> None:
        super().__init__(engine)
        self.engine, self.pace = engine, pace
        self.waits_s: list[float] = []

    def has_budgets(self) -> bool:
        self.waits_s.append(self.pace.wait_s)
        if len(self.waits_s) == 3:
            wanted = parse_budget({"name": "first", "tenant_id": "acme", "limit_gco2e": 5, "period": "day"})
            set_budgets(self.engine, [wanted], NOON_US, OPERATOR)
        if len(self.waits_s) == 4:
            raise EnoughError
        return super().has_budgets()

    def judge_all(self, now: datetime, tenant_keys: Collection[int] | None = None) -> Judgement:
        raise AssertionError("another worker does that")


def test_a_worker_that_does_not_judge_all_looks_for_budgets_itself(sqlite: SqliteDatabases) -> None:
    """Its batches are further apart while there is none, whoever judges."""
    pace = BatchPace(0.4)
    with open_store(sqlite.migrated()) as store:
        assert sweep_lease(store.engine, 1_000).acquire(time.time_ns() // 1000)
        judge = LookingJudge(store.engine, pace)
        swept(judge, sweep_lease(store.engine, 1_000), Telemetry(Metrics(), Heartbeat(timeout_s=60)), pace)
    assert judge.waits_s == [0.4, pace.wait_max_s, pace.wait_max_s, 0.4]


def swept(judge: Judge, lease: Lease, telemetry: Telemetry, pace: BatchPace) -> None:
    """One sweep after another, until the judge has seen enough."""
    with pytest.raises(EnoughError):
        asyncio.run(sweep_of(judge, lease, telemetry=telemetry, pace=pace).run())


def sweep_of(
    judge: Judge,
    lease: Lease,
    *,
    sweep_s: float = 1e-9,
    telemetry: Telemetry | None = None,
    pace: BatchPace | None = None,
    headroom: Headroom | None = None,
) -> BudgetSweep:
    return BudgetSweep(
        judge,
        lease,
        telemetry or Telemetry(Metrics(), Heartbeat(timeout_s=60)),
        sweep_s=sweep_s,
        interval_s=0,
        pace=pace or BatchPace(0.4),
        headroom=headroom or NotedHeadroom(),
        on_change=lambda _judged_at_us, _committed_at_us: None,
    )


def damage(store: Store) -> None:
    """A budget whose time zone the system no longer knows."""
    wanted = parse_budget({"name": "bad", "tenant_id": "acme", "limit_gco2e": 5, "period": "day"})
    set_budgets(store.engine, [wanted], NOON_US, OPERATOR)
    store.execute("UPDATE budget SET time_zone = 'Mars/Olympus'")


class NotedJudge(Judge):
    """Notes whose budgets it judges: all of them (None), or some."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.judged: list[Collection[int] | None] = []

    def judge_all(self, now: datetime, tenant_keys: Collection[int] | None = None) -> Judgement:
        judgement = super().judge_all(now, tenant_keys)
        self.judged.append(tenant_keys)
        return judgement


class NotedHeadroom(Headroom):
    """Of the only worker; counts what it is asked."""

    asked = 0

    def __init__(self) -> None:
        super().__init__(lambda: datetime.now(UTC), lambda: True)

    def covers(self, amounts: TenantAmounts) -> bool:
        self.asked += 1
        return super().covers(amounts)


def test_tenants_are_judged_after_a_commit_only_where_it_may_have_reached_a_threshold(sqlite: SqliteDatabases) -> None:
    """5 g are the limit; what did not come near half of them is judged with what does."""
    with open_store(sqlite.migrated()) as store:
        wanted = parse_budget({"name": "day", "tenant_id": "acme", "limit_gco2e": 5, "period": "day"})
        set_budgets(store.engine, [wanted], NOON_US, OPERATOR)
        judge, headroom = NotedJudge(store.engine), NotedHeadroom()
        sweep = sweep_of(judge, sweep_lease(store.engine, 1_000), sweep_s=1_000, headroom=headroom)

        async def commits() -> None:
            running = asyncio.create_task(sweep.run())
            while not headroom.is_known:
                await asyncio.sleep(0)
            for number, (tenant_key, amount) in enumerate(((1, 10), (2, 10), (3, 2_500_000)), start=1):
                headroom.committed({"acme": TenantAmount(amount, 0)})
                sweep.touch({tenant_key})
                while headroom.asked < number:
                    await asyncio.sleep(0)
            while len(judge.judged) < 2:
                await asyncio.sleep(0)
            running.cancel()

        asyncio.run(commits())
    assert judge.judged == [None, {1, 2, 3}]


class SlowJudge(NotedJudge):
    """Has judged all budgets only once it has judged some."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.begun, self.some_judged = threading.Event(), threading.Event()

    def judge_all(self, now: datetime, tenant_keys: Collection[int] | None = None) -> Judgement:
        if tenant_keys is None:
            self.begun.set()
            assert self.some_judged.wait(30)
        judgement = super().judge_all(now, tenant_keys)
        if tenant_keys is not None:
            self.some_judged.set()
        return judgement


def test_a_tenant_that_a_commit_touches_does_not_wait_until_all_budgets_are_judged(sqlite: SqliteDatabases) -> None:
    """Many budgets take longer than an alert may."""
    with open_store(sqlite.migrated()) as store:
        judge = SlowJudge(store.engine)
        beside_others = Headroom(lambda: datetime.now(UTC), lambda: False)
        sweep = sweep_of(judge, sweep_lease(store.engine, 1_000), sweep_s=1_000, headroom=beside_others)

        async def commits() -> None:
            running = asyncio.create_task(sweep.run())
            await asyncio.to_thread(judge.begun.wait, 30)
            sweep.touch({7})
            while len(judge.judged) < 2:
                await asyncio.sleep(0)
            running.cancel()

        asyncio.run(commits())
    assert judge.judged == [{7}, None]
