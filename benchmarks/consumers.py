"""Workers that do less than ours, each run as a process of its own: the ceilings and baselines of the end-to-end figure.

python -m benchmarks.consumers KIND BOOTSTRAP TOPIC COUNT      prints seconds from the first to the last event
"""

import asyncio
import sys
import time
import uuid
from typing import Any

import faust


def _app(scheme: str, bootstrap: str) -> faust.App:
    return faust.App(
        f"bench-{uuid.uuid4().hex[:8]}",
        broker=f"{scheme}://{bootstrap}",
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=5_000,
        consumer_max_fetch_size=4 * 1024 * 1024,
        stream_wait_empty=False,
        topic_disable_leader=True,
        web_enabled=False,
        store="memory://",
    )


class Stopwatch:
    """Counts events and ends the app at `count`; an empty partition tail is not timed."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._seen = 0
        self._first = 0.0
        self.done = asyncio.Event()
        self.seconds = 0.0

    def saw(self, events: int) -> None:
        if not self._seen:
            self._first = time.perf_counter()
        self._seen += events
        if self._seen >= self._count and not self.done.is_set():
            self.seconds = time.perf_counter() - self._first
            self.done.set()


async def per_event(bootstrap: str, topic: str, count: int) -> float:
    """The stock transport and an agent that does nothing with each event."""
    app = _app("kafka", bootstrap)
    watch = Stopwatch(count)
    channel = app.topic(topic, value_type=bytes, value_serializer="raw", key_serializer="raw")

    async def agent(stream: Any) -> None:
        async for _ in stream:
            watch.saw(1)

    return await _run(app, channel, agent, watch)


async def chunks_only(bootstrap: str, topic: str, count: int) -> float:
    """Our transport and an agent that does nothing with each chunk."""
    app = _app("ricechunks", bootstrap)
    watch = Stopwatch(count)
    channel = app.topic(topic, value_type=bytes, value_serializer="raw", key_serializer="raw")

    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            watch.saw(len(event.message.value))
            event.ack()

    return await _run(app, channel, agent, watch)


async def _run(app: faust.App, channel: Any, agent: Any, watch: Stopwatch) -> float:
    app.agent(channel, name="bench")(agent)
    await app.start()
    await watch.done.wait()
    await app.stop()
    return watch.seconds


def main() -> None:
    kind, bootstrap, topic, count = sys.argv[1:]
    runner = {"per_event": per_event, "chunks_only": chunks_only}[kind]
    print(asyncio.run(runner(bootstrap, topic, int(count))))


if __name__ == "__main__":
    main()
