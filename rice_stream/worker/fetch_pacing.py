"""How soon after a fetch the next one goes to a broker: at once where more lies there, otherwise after a pause.

A broker answers a fetch as soon as it has a record. Without a pause a steady load is fetched a few records at a time, and each
fetch costs worker and broker half a millisecond; with one, records gather at the broker. After a quiet while there is no pause
left to wait for, so a single record comes at once.

aiokafka has one fetch at a time under way to a broker, for the partitions of which nothing is left in its buffer. So while more of
any partition lies there, no fetch waits for long: neither here, nor at the broker, for partitions that have nothing new.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any, ClassVar

from aiokafka.consumer import consumer as aiokafka_consumer
from aiokafka.consumer import fetcher

from rice_stream.worker.batch_pace import BatchPace

_Fetcher: Any = fetcher.Fetcher
PAUSE_MAX_S = 1.0
"""However rare batches are to be: a rebalance or a seek may have to wait for a fetch."""
WAIT_BEHIND_MS = 20
"""How long a broker may sit on a fetch of partitions that have nothing new, while others have more."""
FULL_SHARE = 0.5
"""A partition that brings this share of what a fetch may bring of it has more on the broker, where records do not tell it."""


class FetchPace:
    """When fetches went out, by broker. aiokafka's thread alone uses it."""

    def __init__(self, pause_s: Callable[[], float], clock: Callable[[], float] = time.monotonic) -> None:
        self._pause_s = pause_s
        self._clock = clock
        self._sent_s: dict[Any, float] = {}

    def wait_s(self, node_id: Any) -> float:
        """How long the next fetch from this broker has to wait; it counts as sent then.

        Fetches from all brokers go out at the same instants, so that one batch takes what all of them bring.
        """
        now_s, pause_s = self._clock(), self._pause_s()
        sent_s = self._sent_s.get(node_id)
        due_s = now_s if sent_s is None else math.ceil(sent_s / pause_s + 0.5) * pause_s
        self._sent_s[node_id] = max(due_s, now_s)
        return self._sent_s[node_id] - now_s

    def begin_again(self) -> None:
        """The next fetch from each broker goes out at once."""
        self._sent_s.clear()

    def found_more(self, node_id: Any) -> None:
        """More lies on this broker: its next fetch goes out at once."""
        self._sent_s.pop(node_id, None)


class PacedFetcher(_Fetcher):  # type: ignore[misc]
    """aiokafka's fetcher, which sends fetches at this pace."""

    pace: ClassVar[BatchPace] = BatchPace(PAUSE_MAX_S)
    """Of fetchers that are made from now on; `install` sets it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pace = self.pace
        self._pace = FetchPace(lambda: min(pace.wait_s, PAUSE_MAX_S))
        self._usual_wait_ms: int = self._fetch_max_wait_ms
        self._more: dict[Any, set[Any]] = {}
        """Partitions of which more lies on a broker than was fetched, as far as is known, by broker."""
        self._more_of: Any = None
        """The assignment that they are of."""

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> bool:
        if assignment is not self._more_of:
            # After a rebalance, what the last owner stored and could not acknowledge is read again, and acknowledged.
            self._more, self._more_of = {}, assignment
            self._pace.begin_again()
        try:
            await asyncio.sleep(self._pace.wait_s(node_id))
        except asyncio.CancelledError:
            return False  # as aiokafka's own does while it waits for the broker
        found: bool = await super()._proc_fetch_request(assignment, node_id, request)
        self._note_more(assignment, node_id, request)
        if self._more[node_id]:
            self._pace.found_more(node_id)
        return found

    def _note_more(self, assignment: Any, node_id: Any, request: Any) -> None:
        """Of which partitions of the request more lies on the broker; of the others it stays as it was."""
        of_broker = self._more.setdefault(node_id, set())
        for topic, partitions in request.topics:
            for partition, _, bytes_max in partitions:
                place = fetcher.TopicPartition(topic, partition)
                if self._has_more(assignment, place, bytes_max):
                    of_broker.add(place)
                else:
                    of_broker.discard(place)
        self._fetch_max_wait_ms = WAIT_BEHIND_MS if any(self._more.values()) else self._usual_wait_ms

    def _has_more(self, assignment: Any, place: Any, bytes_max: int) -> bool:
        result = self._records.get(place)
        if not isinstance(result, fetcher.FetchResult):
            return False
        state, behind = assignment.state_value(place), result.offset_behind
        # What open transactions hold back cannot be fetched.
        end = state.lso if state.lso is not None and state.lso >= 0 else state.highwater
        if behind is None or end is None:
            return bool(result.fetched_bytes >= FULL_SHARE * bytes_max)
        return bool(behind < end)


def install(pace: BatchPace) -> None:
    """Let aiokafka's consumers that this process makes from now on fetch at this pace, and once in PAUSE_MAX_S at least."""
    PacedFetcher.pace = pace
    vars(aiokafka_consumer).update(Fetcher=PacedFetcher)
