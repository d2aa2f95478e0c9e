"""Traffic that goes on while a test kills, stops and restarts things: a thread that sends until it is told to finish."""

import random
import threading
from types import TracebackType
from typing import Self

from tests.support.worker_truth import Event, EventMaker, Sender, encoded

TICK_S = 0.02
HELD_BACK = 200
"""Records that wait for their second sending: about half a second of traffic."""


class Load:
    """Events in all shapes, every record twice and in any partition, hours out of order, with poison in between."""

    def __init__(self, sender: Sender, *, seed: int, records_per_s: int = 400, until_s: float | None = None) -> None:
        """`until_s`: no event ends later (epoch seconds); None: now."""
        self.sender = sender
        self._make = EventMaker(seed, now_s=until_s)
        self._random = random.Random(seed)
        self._records_per_tick = max(1, round(records_per_s * TICK_S))
        self._again: list[tuple[bytes, list[Event], list[int]]] = []
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def finish(self) -> None:
        """Send what is still to be sent a second time, and wait until the broker has everything."""
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        while self._again:
            self._repeat()
        self.sender.confirm()

    def _run(self) -> None:
        try:
            while not self._stop.wait(TICK_S):
                for _ in range(self._records_per_tick):
                    self._send_new()
                while len(self._again) > HELD_BACK:
                    self._repeat()
        except BaseException as failure:  # noqa: BLE001 - raised again by `finish`, in the test's own thread
            self._failure = failure

    def _send_new(self) -> None:
        draw = self._random.random()
        if draw < 0.02:
            record = self._poison(), list[Event](), [0]
        elif draw < 0.04:
            several = [self._make() for _ in range(3)]
            record = encoded([*several, "no event"]), several, [3]
        elif draw < 0.06:
            several = [self._make() for _ in range(3)]
            record = b"\n".join(map(encoded, several)), several, []
        else:
            event = self._make()
            record = encoded(event), [event], []
        self._send(record)
        self._again.append(record)

    def _poison(self) -> bytes:
        noise = self._random.randbytes(self._random.randrange(1, 60)).replace(b"\n", b"?").replace(b"\r", b"?")
        return b"\xff" + noise  # no JSON begins like this

    def _repeat(self) -> None:
        place = self._random.randrange(len(self._again))
        self._again[place], self._again[-1] = self._again[-1], self._again[place]
        self._send(self._again.pop())

    def _send(self, record: tuple[bytes, list[Event], list[int]]) -> None:
        value, events, refused_items = record
        self.sender.send(value, events=events, refused_items=refused_items)
