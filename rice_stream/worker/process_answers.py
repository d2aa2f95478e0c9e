"""What worker processes say of themselves to the process that started them, over a pipe each: no port, no file.

A thread of its own answers, as over HTTP, so that a process whose event loop hangs still says so.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from rice_stream.worker.health import Showable

QUESTIONS = ("live", "ready", "metrics_text")
"""The methods of `Showable` that may be asked for."""
_UNANSWERED_MAX = 64
"""Questions that wait in the pipe to a process that hangs: past it no more are put there, as a full pipe would block."""
_GONE = (EOFError, OSError)


def shown_over(connection: Connection) -> Callable[[Showable], AbstractContextManager[None]]:
    """A way to show something: questions are answered until the other end is closed. Then whoever started this process is
    gone, and it stops in order."""

    @contextmanager
    def show(shown: Showable) -> Iterator[None]:
        threading.Thread(target=_answer, args=(connection, shown), name="rice-answers", daemon=True).start()
        yield

    return show


def _answer(connection: Connection, shown: Showable) -> None:
    try:
        while True:
            number, question = connection.recv()
            connection.send((number, getattr(shown, question)() if question in QUESTIONS else None))
    except _GONE:
        os.kill(os.getpid(), signal.SIGTERM)


@dataclass
class _Pipe:
    """The end of a pipe to one process."""

    connection: Connection
    unanswered: int = 0

    def send(self, asked: int, question: str) -> bool:
        """Whether the question is on its way; what came too late for earlier ones is dropped first."""
        try:
            while self.connection.poll():
                self._receive()
            if self.unanswered >= _UNANSWERED_MAX:
                return False
            self.connection.send((asked, question))
        except _GONE:
            return False
        self.unanswered += 1
        return True

    def receive(self, asked: int, until_s: float) -> tuple[Any] | None:
        """The answer, in a tuple of one; None: it did not come in time."""
        try:
            while self.connection.poll(max(0.0, until_s - time.monotonic())):
                number, answer = self._receive()
                if number == asked:
                    return (answer,)
        except _GONE:
            pass
        return None

    def _receive(self) -> tuple[int, Any]:
        number, answer = self.connection.recv()
        self.unanswered -= 1
        return number, answer


class ProcessPipes:
    """The pipes to processes by their number. A question goes out to all of them before anybody's answer is waited for."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._pipes: dict[int, _Pipe] = {}
        self._asked = 0
        self._lock = threading.Lock()

    def add(self, number: int, connection: Connection) -> None:
        """A process has been started; the pipe of an earlier one of this number is closed."""
        with self._lock:
            before = self._pipes.pop(number, None)
            self._pipes[number] = _Pipe(connection)
        if before is not None:
            before.connection.close()

    def close(self) -> None:
        """Close all pipes."""
        with self._lock:
            for pipe in self._pipes.values():
                pipe.connection.close()
            self._pipes.clear()

    def ask(self, question: str) -> Mapping[int, Any]:
        """The answers of those that answer in time, by number."""
        with self._lock:
            self._asked += 1
            sent = {number: pipe for number, pipe in self._pipes.items() if pipe.send(self._asked, question)}
            until_s = time.monotonic() + self._within_s
            answers = {number: pipe.receive(self._asked, until_s) for number, pipe in sent.items()}
        return {number: answer[0] for number, answer in answers.items() if answer is not None}
