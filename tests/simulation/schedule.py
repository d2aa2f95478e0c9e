"""One schedule: traffic and mishaps drawn from a seed, run to the end, checked against the truth."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from faust.types import TP

from rice_stream.budgets.definition import Budget
from rice_stream.instants import epoch_us
from tests.simulation.broker import Broker, LogRecord
from tests.simulation.checks import budgets_for, check_alerts, check_quarantine, check_records
from tests.simulation.clock import raise_unexpected
from tests.simulation.settings_changes import BY_TEAM, SETTINGS, charged
from tests.simulation.store import Faults, Store
from tests.simulation.traffic import TENANTS, USERS, Meaning, Traffic
from tests.simulation.worker import Sizes, Worker, simulated_now
from tests.support.store_checks import assert_exact, assert_totals

SECONDS = 8.0
"""How long things go wrong; then everything is repaired and the rest must be worked off."""
DRAIN_SECONDS = 600.0


@dataclass
class Outcome:
    """What happened, for the message of a failure and to see that the mishaps did happen."""

    seed: int
    log: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def note(self, what: str, detail: str = "") -> None:
        """Count a mishap and remember it."""
        self.counts[what] = self.counts.get(what, 0) + 1
        self.log.append(f"{asyncio.get_running_loop().time():7.2f} s  {what} {detail}".rstrip())


class Schedule:
    """Everything of one seed."""

    def __init__(self, seed: int, store: Store) -> None:
        self.outcome = Outcome(seed)
        self._random = Random(seed)
        self._store = store
        self._faults = Faults(Random(seed + 1))
        self._sizes = Sizes(self._random)
        self._partitions = self._random.choice([1, 1, 2, 3])
        self._broker = Broker(Random(seed + 2), self._partitions, self._offset_committed)
        self._workers: list[Worker] = []
        self._started = 0
        self._others: list[asyncio.Task[None]] = []
        self._budgets: list[Budget] = []
        self._meanings: dict[bytes | None, Meaning] = {}
        self._future: set[bytes] = set()
        self._dropped: list[dict[str, Any]] = []
        """Rows of records that retention has dropped; they are in the totals still."""
        self._horizon = datetime.min.replace(tzinfo=UTC)
        self._past: list[LogRecord] = []
        """Records of topics that no longer exist."""

    # --- the run -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Mishaps, repair, drain, checks."""
        asyncio.get_running_loop().set_exception_handler(raise_unexpected)
        self._store.change_settings(BY_TEAM, epoch_us(simulated_now(asyncio.get_running_loop())))
        rounds = 2 if self._random.random() < 0.15 else 1
        traffic = [self._traffic(number) for number in range(rounds)]
        self._set_budgets(traffic)
        for number, sent in enumerate(traffic):
            if number:
                self._recreate_topic()
            if number and self._random.random() < 0.6:
                await self._produce(sent)  # in peace: no rebalance heals what goes wrong
            else:
                await self._mishaps(sent)
            await self._drain()
        await self._end()
        self._check()

    def _traffic(self, number: int) -> Traffic:
        count = self._random.choice([1, 4, 8, 20])
        traffic = Traffic(
            self._random, count=count, partitions=self._partitions, seconds=SECONDS / 2, prefix=f"e{number}"
        )
        self._meanings |= traffic.meanings
        self._future |= traffic.future
        return traffic

    async def _mishaps(self, traffic: Traffic) -> None:
        if not self._alive():
            for _ in range(self._random.randint(1, 3)):
                await self._start_worker()
        producing = asyncio.create_task(self._produce(traffic))
        mishaps = [
            self._crash, self._crash, self._stop, self._start_worker, self._rebalance, self._fall_silent,
            self._store_goes, self._store_stumbles, self._lose_commits, self._watch_user, self._change_settings,
            self._read_again, self._damage, self._rebuild, self._retention,
        ]  # fmt: skip
        end_s = asyncio.get_running_loop().time() + SECONDS
        while asyncio.get_running_loop().time() < end_s:
            await asyncio.sleep(self._random.uniform(0, 2))
            await self._random.choice(mishaps)()
            self._restart_failed()
        await producing

    async def _produce(self, traffic: Traffic) -> None:
        start_s = asyncio.get_running_loop().time()
        for record in traffic.sent:
            await asyncio.sleep(max(0.0, start_s + record.at_s - asyncio.get_running_loop().time()))
            tp = TP("events", record.partition)
            if record.resent:
                self.outcome.note("resend", f"at {record.timestamp_ms}")
            if record.headers:
                self.outcome.note("untrusted factors")
            if record.value in self._future:
                self.outcome.note("future event")
            self._broker.append(tp, record.value, record.timestamp_ms, record.headers, hole=record.hole)

    async def _drain(self) -> None:
        """Repair everything; then all must be stored and committed within a bounded time, whoever is left."""
        self._faults.away = False
        self._faults.share = 0.0
        self._broker.lose_commits = 0.0
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + DRAIN_SECONDS
        while self._broker.lag():
            self._restart_failed()
            if not self._alive():
                await self._start_worker()
            assert loop.time() < deadline_s, f"not drained: {self._broker.lag()} records left"
            await asyncio.sleep(2)
            if self._broker.commits_refused and self._stored_all() and self._broker.lag():
                # A commit that was lost is made good by whoever reads on from there after the next rebalance.
                self._broker.commits_refused = 0
                await self._broker.rebalance()

    async def _end(self) -> None:
        while self._alive():
            await self._stop()
        for worker in self._workers:
            await worker.crash()

    # --- mishaps -----------------------------------------------------------------------------------------------------

    def _alive(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.running and worker.reachable]

    def _any(self) -> Worker | None:
        alive = self._alive()
        return self._random.choice(alive) if alive else None

    async def _start_worker(self) -> None:
        if len(self._alive()) >= 3:
            return
        self._started += 1
        worker = Worker(
            f"w{self._started}",
            self._broker,
            self._store,
            self._faults,
            Random(self.outcome.seed * 1000 + self._started),
            sizes=self._sizes,
        )
        self._workers.append(worker)
        self.outcome.note("start", worker.name)
        await self._broker.join(worker)

    async def _crash(self) -> None:
        if worker := self._any():
            self.outcome.note("crash amid a record" if worker.amid_a_record else "crash", worker.name)
            await worker.crash()
            self._workers.remove(worker)
            await asyncio.sleep(self._random.uniform(0, 3))  # until the session times out
            await self._broker.leave(worker)

    async def _stop(self) -> None:
        if worker := self._any():
            self.outcome.note("stop", worker.name)
            await worker.stop()
            self._workers.remove(worker)
            await self._broker.leave(worker)

    def _restart_failed(self) -> None:
        for worker in self._alive():
            worker.assert_in_order()
        for worker in [worker for worker in self._workers if not worker.running]:
            self.outcome.note("gave up", f"{worker.name}: {worker.failed}")
            worker.assert_stopped_for_a_reason()
            worker.reachable = False
            self._workers.remove(worker)
            self._later(self._leave(worker))

    async def _leave(self, worker: Worker) -> None:
        await worker.crash()
        await self._broker.leave(worker)
        await self._start_worker()

    async def _rebalance(self) -> None:
        self.outcome.note("rebalance")
        await self._broker.rebalance()

    async def _fall_silent(self) -> None:
        """A worker is cut off: the group goes on without it while it still stores what it had; then it comes back."""
        if worker := self._any():
            self.outcome.note("fall silent", worker.name)
            worker.reachable = False
            await self._broker.leave(worker)
            await asyncio.sleep(self._random.uniform(0, 2))
            worker.reachable = True
            if worker.running:
                await self._broker.join(worker)

    async def _store_goes(self) -> None:
        self.outcome.note("store goes")
        self._faults.away = True
        await asyncio.sleep(self._random.uniform(0, 5))
        self._faults.away = False

    async def _store_stumbles(self) -> None:
        self._faults.share = self._random.choice([0.0, 0.3, 0.6])
        self.outcome.note("store stumbles", f"{self._faults.share:g}")

    async def _lose_commits(self) -> None:
        self._broker.lose_commits = self._random.choice([0.0, 0.3, 1.0])
        self.outcome.note("lose commits", f"{self._broker.lose_commits:g}")

    async def _watch_user(self) -> None:
        """Somebody sets a budget on a user: totals of the past are made while batches go on."""
        user = (self._random.choice(TENANTS), self._random.choice(USERS))
        self.outcome.note("watch user", "/".join(user))
        self._store.watch_user(*user)

    async def _damage(self) -> None:
        """Somebody edits totals, or a worker of another version left some out."""
        self.outcome.note("damage")
        self._store.damage(self._random)

    async def _rebuild(self) -> None:
        """Totals are put right beside the workers; a run that is cut short is made good by a later one."""
        last = self._random.choice([None, None, self._random.randrange(10)])
        for number, _ in enumerate(self._store.rebuild()):
            if number == last:
                self.outcome.note("rebuild cut short")
                return
            await asyncio.sleep(self._random.uniform(0, 0.2))
        self.outcome.note("rebuild")
        assert_totals(self._rows)

    async def _retention(self) -> None:
        """Old months are dropped, whatever is prepared and not committed yet, and whatever will be delivered again."""
        moment = datetime(2026, self._random.choice([10, 10, 11]), 1, tzinfo=UTC)
        self.outcome.note("retention", f"{moment:%Y-%m}")
        self._horizon = max(self._horizon, moment)
        for _ in self._store.rebuild():
            pass  # what is damaged afterwards can be put right, what is from before the horizon cannot
        before = self._store.rows("prompt_record")
        self._store.drop_records_before(moment)
        kept = {row["event_id"] for row in self._store.rows("prompt_record")}
        self._dropped += [row for row in before if row["event_id"] not in kept]

    async def _change_settings(self) -> None:
        """A worker is started with other settings of who is charged, or with those of before."""
        settings = self._random.choice(SETTINGS)
        self.outcome.note("change settings")
        self._store.change_settings(settings, epoch_us(simulated_now(asyncio.get_running_loop())))

    async def _read_again(self) -> None:
        """The workers end, the group's offsets are set back to the beginning, and one reads it all again."""
        self.outcome.note("read again")
        while self._alive():
            await self._crash()
        self._broker.committed.clear()
        await self._start_worker()

    def _recreate_topic(self) -> None:
        self.outcome.note("recreate topic")
        for log in self._broker.logs.values():
            self._past += log.records
        self._broker.recreate_topic()
        for worker in self._workers:
            worker.thread.reset_positions()

    def _later(self, work: Any) -> None:
        self._others.append(asyncio.create_task(work))

    # --- the truth ---------------------------------------------------------------------------------------------------

    def _set_budgets(self, traffic: list[Traffic]) -> None:
        self._budgets = budgets_for(self._random, [sent.meanings for sent in traffic])
        self._store.set_budgets(self._budgets)

    def _all_records(self) -> list[LogRecord]:
        return self._past + [record for log in self._broker.logs.values() for record in log.records]

    def _stored_ids(self) -> set[str]:
        return {row["event_id"] for row in self._store.rows("prompt_record")}

    def _is_old(self, event: dict[str, Any]) -> bool:
        """Whether retention has dropped its month: then it may never have been recorded."""
        ended_at = event.get("ended_at")  # calls of a gateway have another field, and are of the last days
        return ended_at is not None and datetime.fromisoformat(ended_at) < self._horizon

    def _stored_all(self) -> bool:
        events = (e for record in self._all_records() for e in self._meanings[record.value].events)
        return {e["event_id"] for e in events if not self._is_old(e)} <= self._stored_ids()

    def _rows(self, table: str) -> list[dict[str, Any]]:
        """What the store holds, and the records that it has held: the totals are the sums of both."""
        return self._store.rows(table) + (self._dropped if table == "prompt_record" else [])

    def _offset_committed(self, tp: TP, offset: int) -> None:
        """An offset commit may never pass a record that is not stored or quarantined."""
        stored = self._stored_ids()
        held = {(row["partition"], row["offset"], row["item"]) for row in self._store.rows("quarantine")}
        for record in self._broker.logs[tp].records:
            if record.offset < offset:
                meaning = self._meanings[record.value]
                missing = [e["event_id"] for e in meaning.events if e["event_id"] not in stored and not self._is_old(e)]
                missing += [f"item {i}" for i in meaning.refused if (tp.partition, record.offset, i) not in held]
                assert not missing, f"{tp} was committed to {offset}, but {record.offset} is not stored: {missing}"

    def _check(self) -> None:
        # Whoever judged last may have died before the last commit: the next sweep, of whatever worker, must do.
        self._store.judge(simulated_now(asyncio.get_running_loop()))
        records = self._all_records()
        for _ in self._store.rebuild():
            pass
        versions = self._store.versions
        events = [charged(e, versions) for record in records for e in self._meanings[record.value].events]
        old = {e["event_id"] for e in events if self._is_old(e)}
        assert not old & self._stored_ids(), "nothing comes back that retention has dropped"
        assert_exact(self._rows)
        check_records(self._rows, events, old)
        check_quarantine(self._store.rows, records, self._meanings)
        check_alerts(self._store.rows, self._budgets)
