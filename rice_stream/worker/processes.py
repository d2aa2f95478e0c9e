"""Several worker processes run as one: started, started again, stopped, and shown together.

They are workers of one consumer group as any others, which share the partitions; nothing passes between them.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.process import BaseProcess
from typing import Any

from prometheus_client import generate_latest

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.worker.merged_metrics import merged
from rice_stream.worker.metrics import ProcessMetrics
from rice_stream.worker.process_answers import ProcessPipes

log = logging.getLogger(__name__)

START_AGAIN_AFTER_S = (1.0, 2.0, 4.0, 8.0)
"""How long after its end a process that failed is started again, the first time and each time after that."""
STEADY_S = 60.0
"""A process that ran for so long did start: its next failure is a first one again."""
ANSWER_WITHIN_S = 2.0
ANSWER_FIRST_WITHIN_S = 60.0
"""A process that starts says nothing until it has loaded what it needs and found the database and the topics."""
KILLED_AFTER_S = 5.0
"""How long after a process should have ended its own stop it is killed."""

StartProcess = Callable[[int, Connection], BaseProcess]
"""Starts the process of a number, which answers questions over a pipe."""


@dataclass
class _Process:
    """One of them: it runs, or waits to be started again."""

    running: BaseProcess
    started_s: float
    failures: int = 0
    start_again_s: float | None = None
    answered: bool = False

    def should_answer(self) -> bool:
        """It runs, and is no longer starting."""
        starting = not self.answered and time.monotonic() - self.started_s < ANSWER_FIRST_WITHIN_S
        return self.start_again_s is None and not starting


class Processes:
    """Processes 0 to `count - 1`. `run` returns when all have ended, with the exit code for the whole.

    One that ends by itself is started again, a little later each time; the others go on with its partitions meanwhile.
    After `len(START_AGAIN_AFTER_S)` times in a row, or at once when it was used wrongly, all are stopped. `stop_limit_s`: what
    a process may take to stop; `until_idle`: a process may end when it has nothing to do.
    """

    def __init__(self, count: int, start: StartProcess, *, stop_limit_s: float, until_idle: bool) -> None:
        self._start = start
        self._stop_limit_s = stop_limit_s
        self._until_idle = until_idle
        self._pipes = ProcessPipes(ANSWER_WITHIN_S)
        self._processes: dict[int, _Process] = {}
        self._numbers = range(count)
        self._stopping_since: float | None = None
        self._lock = threading.Lock()
        self._metrics = ProcessMetrics()
        self._stop_asked, self._stop_asks = os.pipe()

    def run(self) -> int:
        """Until SIGTERM or SIGINT, or all have ended. Called in the main thread, as it handles signals."""
        before = {
            one: signal.signal(one, lambda _number, _frame: os.write(self._stop_asks, b"."))
            for one in (signal.SIGTERM, signal.SIGINT)
        }
        code = 0
        try:
            for number in self._numbers:
                self._run_one(number, failures=0)
            while self._processes:
                for number in self._ended():
                    code = max(code, self._take_end(number))
                self._start_again()
        finally:
            self._pipes.close()
            for one, handler in before.items():
                signal.signal(one, handler)
        return code

    # --- shown as one -------------------------------------------------------------------------------------------

    def live(self) -> tuple[bool, dict[str, Any]]:
        """Whether each that runs, and is no longer starting, answers and says so of itself."""
        said = self._ask("live")
        with self._lock:
            silent = [n for n, one in self._processes.items() if n not in said and one.should_answer()]
        good = not silent and all(alive for alive, _ in said.values())
        return good, {"processes": _details(said), "silent": silent}

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether all run, and each says so of itself."""
        said = self._ask("ready")
        away = [number for number in self._numbers if number not in said]
        return not away and all(ready for ready, _ in said.values()), {"processes": _details(said), "silent": away}

    def metrics_text(self) -> bytes:
        """The metrics of all that answer, with the label `process`, and those of what runs."""
        self._metrics.running.set(len(self._running()))
        return generate_latest(self._metrics.registry) + merged(self._ask("metrics_text"))

    def _ask(self, question: str) -> Mapping[int, Any]:
        said = self._pipes.ask(question)
        with self._lock:
            for number in said.keys() & self._processes.keys():
                self._processes[number].answered = True
        return said

    # --- started and ended --------------------------------------------------------------------------------------

    def _running(self) -> list[int]:
        with self._lock:
            return [number for number, one in self._processes.items() if one.start_again_s is None]

    def _run_one(self, number: int, failures: int) -> None:
        ours, theirs = Pipe()
        # Ctrl-C of a terminal goes to all processes: this one tells the others in order.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process = self._start(number, theirs)
        finally:
            signal.signal(signal.SIGINT, before)
            theirs.close()
        self._pipes.add(number, ours)
        with self._lock:
            self._processes[number] = _Process(process, time.monotonic(), failures)

    def _ended(self) -> list[int]:
        """Waits for an end, for a process whose time has come to start again, or for the stop."""
        sentinels = {
            one.running.sentinel: number for number, one in self._processes.items() if one.start_again_s is None
        }
        until_s = [one.start_again_s for one in self._processes.values() if one.start_again_s is not None]
        if self._stopping_since is not None:
            until_s.append(self._stopping_since + self._stop_limit_s + KILLED_AFTER_S)
        timeout_s = max(0.0, min(until_s) - time.monotonic()) if until_s else None
        woken = wait([*sentinels, self._stop_asked], timeout_s)
        if self._stop_asked in woken:
            os.read(self._stop_asked, 64)
            self._stop()
        self._kill_late()
        return [sentinels[one] for one in woken if isinstance(one, int) and one in sentinels]

    def _take_end(self, number: int) -> int:
        """The exit code that is the whole's because of this end."""
        one = self._processes[number]
        one.running.join()
        code = one.running.exitcode or 0
        if self._stopping_since is not None:
            self._forget(number)
            # Asked to stop before it listened: it had taken nothing.
            return 0 if code == -signal.SIGTERM else code if code >= 0 else ServiceUnavailableError.exit_code
        if code == 0 and self._until_idle:
            self._forget(number)
            return 0
        steady = time.monotonic() - one.started_s >= STEADY_S
        failures = 1 if steady else one.failures + 1
        if code == UsageError.exit_code or failures > len(START_AGAIN_AFTER_S):
            log.error("worker process %d ended with code %d: the others are stopped", number, code)
            self._forget(number)
            self._stop()
            return code if code > 0 else ServiceUnavailableError.exit_code
        after_s = START_AGAIN_AFTER_S[failures - 1]
        log.warning("worker process %d ended with code %d: it is started again in %g s", number, code, after_s)
        with self._lock:
            one.failures, one.start_again_s = failures, time.monotonic() + after_s
        return 0

    def _forget(self, number: int) -> None:
        with self._lock:
            del self._processes[number]

    def _start_again(self) -> None:
        now_s = time.monotonic()
        for number, one in list(self._processes.items()):
            if one.start_again_s is not None and one.start_again_s <= now_s:
                self._metrics.restarts.inc()
                self._run_one(number, one.failures)

    def _stop(self) -> None:
        """Ask all that run to stop; what waits to be started again is not."""
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
        for number, one in list(self._processes.items()):
            if one.start_again_s is not None:
                self._forget(number)
            else:
                one.running.terminate()

    def _kill_late(self) -> None:
        if self._stopping_since is None:
            return
        if time.monotonic() >= self._stopping_since + self._stop_limit_s + KILLED_AFTER_S:
            for one in self._processes.values():
                one.running.kill()


def _details(said: Mapping[int, tuple[bool, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    return {str(number): {"ok": good, **details} for number, (good, details) in said.items()}
