"""Thousands of schedules of crashes, rebalances, outages and repeats: every event counts once, every crossing is told once.

`SIMULATION_SCHEDULES` sets how many run (640 unless set), from a first seed that is drawn from the run's own;
`python -m tests.simulation --seed N` runs one again.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import mock

import pytest

from rice_stream.store.batch import Records
from rice_stream.store.identity_rules import KnownRules
from rice_stream.store.sqlite_rows import FEW
from rice_stream.store.writer import LedgerStanding, Writer
from rice_stream.worker.batches import BatchLoop
from rice_stream.worker.handed_out import HandedOutChunks
from tests.simulation.memory import MemoryStore, MemoryWriter
from tests.simulation.runner import run_schedule
from tests.simulation.store import SqliteStore, Store
from tests.support.cases import drawn
from tests.support.untimed import version_before_0007

SCHEDULES = int(os.environ.get("SIMULATION_SCHEDULES", "640"))
BLOCKS = 4
SQLITE_SCHEDULES = 30
FIRST = drawn("schedules").randrange(50_000 - SCHEDULES) if SCHEDULES < 50_000 else 0
SQLITE_FIRST = 1_000_000 + drawn("schedules on SQLite").randrange(2_000 - SQLITE_SCHEDULES)
"""The drill runs the seeds up to 50,000, and on SQLite those from 1,000,000 to 1,002,000."""
MISHAPS = {
    "change settings", "crash", "crash amid a record", "damage", "fall silent", "gave up", "lose commits", "read again",
    "rebalance", "rebuild", "rebuild cut short", "recreate topic", "resend", "retention", "start", "stop", "store goes",
    "store stumbles", "watch user", "future event", "untrusted factors",
}  # fmt: skip


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_schedule_ends_exact(block: int) -> None:
    """Each event sent is counted once, totals equal the truth, what is refused is held, no commit passes an unstored
    record, every budget crossing is announced once, and all of it is worked off in bounded time."""
    store = MemoryStore()
    happened: Counter[str] = Counter()
    for seed in range(FIRST + block, FIRST + SCHEDULES, BLOCKS):
        happened.update(run_schedule(seed, store).counts)
    if SCHEDULES >= 600:
        assert set(happened) == MISHAPS, "each kind of mishap must be among the schedules"


def test_the_same_holds_on_sqlite() -> None:
    """The real statements, the real roll-back and the real judge, on a database in memory; every other schedule with images, as
    there are for batches that are larger than these."""
    store = SqliteStore()
    for seed in range(SQLITE_FIRST, SQLITE_FIRST + SQLITE_SCHEDULES):
        with mock.patch("rice_stream.store.sqlite_rows.FEW", 0 if seed % 2 else FEW):
            run_schedule(seed, store)


def test_a_seed_gives_the_same_schedule_in_every_process() -> None:
    """Also where Python orders its sets differently."""
    command = [sys.executable, "-m", "tests.simulation", "--seed", "29"]
    outputs = {
        subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout.rsplit("\n", 2)[0]
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert "start w1" in outputs.pop()


# --- the simulation must be able to fail ---------------------------------------------------------------------------------


class ChunksThatAckGaps(HandedOutChunks):
    """Commits the last acknowledged chunk, whatever is missing before it."""

    def committable(self) -> int | None:
        if not self._acked:
            return None
        last = max(self._acked)
        while self._handed_out and self._handed_out[0] <= last:
            self._acked.discard(self._handed_out.popleft())
        return last + 1


class WriterByAnyRules(MemoryWriter):
    """Stores what was prepared by settings that no longer hold."""

    def _check_rules(self, rules: KnownRules, latest_end_us: int) -> None: ...


class WriterWithoutDedupe(MemoryWriter):
    """Stores whatever comes as if it were new."""

    def _insert(self, records: Records) -> None:
        for row in self._rows(records):
            self._store.add("prompt_record", {**row, "event_key": os.urandom(16)})


class WriterWithoutHorizon(MemoryWriter):
    """Looks at the retention horizon while preparing only."""

    def _standing(self) -> LedgerStanding:
        return LedgerStanding(0, 0, 0)


class WriterWithoutTransaction(MemoryWriter):
    """What a failing batch has written stays."""

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        yield


async def _acknowledge_first(self: BatchLoop, work: Any, committed: Any, **options: Any) -> None:
    """`BatchLoop._store` with its two halves the wrong way round."""
    self._acknowledge(work.fetched)
    work.fetched = []
    await _real_store(self, work, committed, **options)


_real_store = BatchLoop._store


def _swapped(writer_class: type[MemoryWriter]) -> Callable[[Writer], Writer]:
    def wrap(writer: Writer) -> Writer:
        assert isinstance(writer, MemoryWriter)
        return writer_class(writer._store)

    return wrap


def _first_failure(store: Store, seeds: range) -> tuple[int, str]:
    for seed in seeds:
        try:
            run_schedule(seed, store)
        except AssertionError as failure:
            return seed, str(failure)
    return -1, ""


@pytest.mark.parametrize(
    ("breakage", "complaint"),
    [
        (mock.patch("rice_stream.worker.faust_transport.HandedOutChunks", ChunksThatAckGaps), "is not stored"),
        (mock.patch.object(BatchLoop, "_store", _acknowledge_first), "is not stored"),
    ],
    ids=["acks gaps", "acknowledges before the commit"],
)
def test_lost_events_are_noticed(breakage: AbstractContextManager[object], complaint: str) -> None:
    with breakage:
        seed, message = _first_failure(MemoryStore(), range(100))
    assert complaint in message
    assert f"python -m tests.simulation --seed {seed} --store memory\n" in message, (
        "the message says how to run it again"
    )


@pytest.mark.parametrize(
    "writer_class", [WriterByAnyRules, WriterWithoutDedupe, WriterWithoutHorizon, WriterWithoutTransaction]
)
def test_events_counted_twice_are_noticed(writer_class: type[MemoryWriter]) -> None:
    assert _first_failure(MemoryStore(_swapped(writer_class)), range(200))[1]


def test_resends_that_count_twice_are_noticed() -> None:
    """With keys that begin with whatever time the broker gave a delivery."""
    with version_before_0007():
        assert "each event is counted exactly once" in _first_failure(MemoryStore(), range(100))[1]
