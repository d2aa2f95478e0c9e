"""Processes that fail are started again a few times, and then all end with the code that says why."""

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import pytest

from rice_stream.worker import processes as module
from rice_stream.worker.processes import Processes


def ends_with(code: int, connection: Connection) -> None:
    """A process that ends by itself."""
    connection.close()
    sys.exit(code)


def stays(connection: Connection) -> None:
    """A process that works until SIGTERM, and then ends in order."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    connection.send("there")
    while True:
        signal.pause()


class Started:
    """Starts real processes: number 0 stays, every other one ends with the code of its turn."""

    def __init__(self, *codes: int) -> None:
        self._codes = list(codes)
        self.stayed: BaseProcess | None = None
        self.times = 0

    def __call__(self, number: int, connection: Connection) -> BaseProcess:
        target: Callable[..., None] = stays if number == 0 else ends_with
        arguments = (connection,) if number == 0 else (self._codes.pop(0), connection)
        process = get_context("spawn").Process(target=target, args=arguments)
        process.start()
        self.times += 1
        if number == 0:
            self.stayed = process
        return process


def run(started: Started) -> int:
    return Processes(2, started, stop_limit_s=30, until_idle=False).run()


def test_one_that_was_used_wrongly_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2 would be the same the next time: nothing is started again, the others are stopped."""
    monkeypatch.setattr(module, "START_AGAIN_AFTER_S", (60.0,))
    started = Started(2)
    assert run(started) == 2
    assert started.times == 2
    assert started.stayed is not None
    assert not started.stayed.is_alive()


def test_one_that_fails_again_and_again_ends_all_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """As often as there are delays, counted; then the code of its last end is the whole's."""
    monkeypatch.setattr(module, "START_AGAIN_AFTER_S", (0.0, 0.0))
    started = Started(1, 1, 3)
    assert run(started) == 3
    assert started.times == 4


def test_a_stop_ends_what_waits_to_be_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once and with 0: SIGTERM is no failure."""
    monkeypatch.setattr(module, "START_AGAIN_AFTER_S", (600.0,))

    def stop_when_it_waits(_text: str, *_values: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(module.log, "warning", stop_when_it_waits)
    started = Started(1)
    assert run(started) == 0
    assert started.stayed is not None
    assert not started.stayed.is_alive()
