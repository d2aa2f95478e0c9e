"""The worker goes by the database's clock, and tells when its own is wrong."""

import asyncio
import threading

import pytest

from rice_stream.errors import ServiceUnavailableError
from rice_stream.store.engine import StoreUnavailableError
from rice_stream.worker.health import Heartbeat, Telemetry
from rice_stream.worker.ledger_clock import LedgerClock
from rice_stream.worker.metrics import Metrics
from tests.support.fakes import NOON_US

YEARS_2_S = 2 * 365 * 86_400


class Machine:
    """A machine whose clock is some seconds off, beside a database whose clock is right."""

    def __init__(self, offset_s: float) -> None:
        self.passed_s = 0.0
        self.offset_s = offset_s
        self.away = False
        self.asked = threading.Event()
        self.telemetry = Telemetry(Metrics(), Heartbeat(timeout_s=60))
        self.clock = LedgerClock(
            self.ask,
            self.telemetry,
            wall_ns=lambda: (self.true_us + round(self.offset_s * 1e6)) * 1000,
            monotonic_ns=lambda: round(self.passed_s * 1e9),
        )

    @property
    def true_us(self) -> int:
        """The database's time."""
        return NOON_US + round(self.passed_s * 1e6)

    def ask(self) -> int:
        """The database answers after a second, and says what time it was in the middle."""
        if self.away:
            self.asked.set()
            raise StoreUnavailableError("away")
        self.passed_s += 0.5
        now_us = self.true_us
        self.passed_s += 0.5
        return now_us

    @property
    def problem(self) -> str | None:
        """Why it is not ready, on account of the clock."""
        return self.telemetry.heartbeat._problems.get("clock")

    def offset(self) -> float | None:
        """The metric."""
        return self.telemetry.metrics.registry.get_sample_value("rice_clock_offset_seconds")


@pytest.mark.parametrize("offset_s", [YEARS_2_S, -YEARS_2_S, 301, -301])
def test_a_clock_that_is_far_off_is_told_and_not_used(offset_s: float) -> None:
    machine = Machine(offset_s)
    machine.clock.measure()
    assert machine.clock.now_us() == machine.true_us
    machine.passed_s += 59.5
    assert machine.clock.now_us() == machine.true_us
    assert machine.offset() == pytest.approx(offset_s)
    assert machine.problem is not None
    assert ("ahead of" if offset_s > 0 else "behind") in machine.problem
    machine.offset_s = 0.1
    machine.clock.measure()
    assert machine.problem is None


def test_a_clock_that_is_set_between_two_measurements_moves_nothing() -> None:
    """What is counted in between is counted with a clock that nobody sets."""
    machine = Machine(0.0)
    machine.clock.measure()
    assert machine.problem is None
    machine.offset_s = YEARS_2_S
    machine.passed_s += 30
    assert machine.clock.now_us() == machine.true_us


def test_a_database_that_does_not_answer_leaves_the_last_measurement() -> None:
    machine = Machine(-YEARS_2_S)
    machine.clock.measure()
    machine.away = True
    machine.passed_s += 600
    with pytest.raises(ServiceUnavailableError):
        machine.clock.measure()
    assert machine.clock.now_us() == machine.true_us


def test_sqlite_has_the_clock_of_its_machine() -> None:
    machine = Machine(0.0)
    clock = LedgerClock(None, machine.telemetry, wall_ns=lambda: NOON_US * 1000)
    clock.measure()
    assert clock.now_us() == NOON_US
    assert clock.now().isoformat() == "2026-11-22T12:00:00+00:00"


def test_it_is_measured_again_and_again_whatever_the_database_does() -> None:
    """One that is away does not end the worker."""
    machine = Machine(0.0)
    machine.away = True

    async def run() -> None:
        task = asyncio.create_task(machine.clock.run())
        assert await asyncio.to_thread(machine.asked.wait, 30)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not task.done()
        task.cancel()

    asyncio.run(run())
    assert machine.offset() == 0
