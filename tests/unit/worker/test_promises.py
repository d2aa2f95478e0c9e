"""What the promises of docs/metrics.md are measured by: how old events are when totals have them, and how late alerts are."""

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from rice_stream.alerting.outbox import Confirmed
from rice_stream.pipeline.chunks import Chunk
from rice_stream.worker.health import Heartbeat, Telemetry
from rice_stream.worker.metrics import Metrics
from rice_stream.worker.relay import Relay

NOW_US = 1_796_000_000_000_000


def chunk(ages_s: Sequence[float | None]) -> Chunk:
    """Records of Kafka that were written so long ago; None: without a time."""
    records: Any = [
        SimpleNamespace(timestamp=None if age is None else int(NOW_US / 1000 - 1000 * age)) for age in ages_s
    ]
    return Chunk("t", 0, records)


def counts(metrics: Metrics, name: str) -> tuple[float | None, float | None]:
    """(values, their sum) of a histogram."""
    return (metrics.registry.get_sample_value(f"{name}_count"), metrics.registry.get_sample_value(f"{name}_sum"))


def test_each_event_is_as_old_as_the_first_record_of_its_chunk() -> None:
    """By Kafka's time; a chunk whose records have none, or that is the rest of a record, is left out."""
    metrics = Metrics()
    records = SimpleNamespace(
        columns={"ended_at_us": NOW_US - np.array([4, 10, 99]) * 1_000_000}, untimed=np.array([False, False, True])
    )
    batch: Any = SimpleNamespace(records=records)
    metrics.visible(batch, [chunk([3.0, 1.0]), chunk([0.5]), chunk([None]), chunk([]), chunk([-7.0])], NOW_US)
    assert counts(metrics, "rice_ingest_freshness_seconds") == (4.0, 6.5)
    assert metrics.registry.get_sample_value("rice_ingest_freshness_seconds_bucket", {"le": "0.5"}) == 2.0
    assert counts(metrics, "rice_event_freshness_seconds") == (2.0, 14.0)


def test_an_alert_is_as_late_as_the_commit_that_it_was_judged_after() -> None:
    """What another worker judged counts from its judgement; a clock that was set back makes nothing negative."""
    metrics = Metrics()
    no_engine: Any = None
    relay = Relay(no_engine, mock.AsyncMock(), Telemetry(metrics, Heartbeat(timeout_s=60)), interval_s=1)
    relay.wake(judged_at_us=2_000_000, committed_at_us=1_500_000)

    async def publish(_engine: Any, _publish: Any, on_delivered: Callable[[list[Confirmed]], None], _now: Any) -> None:
        on_delivered(
            [Confirmed(2_000_000, 2_250_000), Confirmed(7_000_000, 8_000_000), Confirmed(9_000_000, 8_000_000)]
        )

    with mock.patch("rice_stream.worker.relay.publish_undelivered", publish):
        asyncio.run(relay.drain())
    assert counts(metrics, "rice_alert_latency_seconds") == (3.0, 1.75)
    assert metrics.registry.get_sample_value("rice_alerts_delivered_total") == 3.0
