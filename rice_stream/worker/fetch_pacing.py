"""How soon after a fetch the next one goes to a broker: at once where more lies there, otherwise after a pause.

A broker answers a fetch as soon as it has a record. Without a pause a steady load is fetched a few records at a time, and each
fetch costs worker and broker half a millisecond; with one, records gather at the broker. After a quiet while there is no pause
left to wait for, so a single record comes at once.
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
FULL_SHARE = 0.5
"""A partition that brings this share of what a fetch may bring of it has more on the broker."""


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

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> bool:
        try:
            await asyncio.sleep(self._pace.wait_s(node_id))
        except asyncio.CancelledError:
            return False  # as aiokafka's own does while it waits for the broker
        found: bool = await super()._proc_fetch_request(assignment, node_id, request)
        if found and self._found_more(request):
            self._pace.found_more(node_id)
        return found

    def _found_more(self, request: Any) -> bool:
        """Whether some partition of the request brought about as much as it may."""
        for topic, partitions in request.topics:
            for partition, _, bytes_max in partitions:
                result = self._records.get(fetcher.TopicPartition(topic, partition))
                if isinstance(result, fetcher.FetchResult) and result.fetched_bytes >= FULL_SHARE * bytes_max:
                    return True
        return False


def install(pace: BatchPace) -> None:
    """Let aiokafka's consumers that this process makes from now on fetch at this pace, and once in PAUSE_MAX_S at least."""
    PacedFetcher.pace = pace
    vars(aiokafka_consumer).update(Fetcher=PacedFetcher)
