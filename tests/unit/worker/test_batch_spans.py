"""The trace of a batch: its parts in order, counts, and nothing of anybody's."""

import asyncio
import json
import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Prepared
from rice_stream.quantities import MEASURES
from rice_stream.runtime.logs import JsonFormatter
from rice_stream.runtime.opening_tracing import open_tracing
from rice_stream.store.batch import CommitResult
from rice_stream.store.engine import StoreUnavailableError
from rice_stream.worker.batches import BatchLoop
from rice_stream.worker.health import Heartbeat, Telemetry
from rice_stream.worker.held_chunks import BatchTimes
from rice_stream.worker.intake import Intake, fetched_chunk
from rice_stream.worker.metrics import Metrics
from rice_stream.worker.partition_guard import PartitionGuard
from tests.support.fakes import chunk_of, event
from tests.support.otlp_receiver import otlp_receiver

log = logging.getLogger("rice_stream.pipeline")


class SlowStore:
    """A pipeline whose first transaction fails; it logs from its threads, and knows a name that nobody is to see."""

    def __init__(self) -> None:
        self._fails = 1

    def prepare_some(self, chunks: Sequence[Chunk], _received_at_us: int, *, items_max: int) -> Prepared:
        log.warning("prepared up to %d", items_max)
        progress = [
            SimpleNamespace(topic=one.topic, partition=one.partition, events=2, records_taken=2, records_refused=0)
            for one in chunks
        ]
        records = SimpleNamespace(columns=dict[str, list[int]](basis_flags=[]))
        batch: Any = SimpleNamespace(refused=[], ignored={}, rungs={}, contexts=0, progress=progress, records=records)
        return Prepared(batch, list(chunks), [])

    def commit(self, _batch: Any) -> CommitResult:
        if self._fails:
            self._fails -= 1
            raise StoreUnavailableError("tenant-acme's database is away")
        log.warning("committed")
        return CommitResult(0, 4, 0, 1, frozenset(), dict.fromkeys(MEASURES, 0))


async def run_one_batch(telemetry: Telemetry) -> None:
    """Two chunks of two partitions, a batch; then the end."""
    pipeline: Any = SlowStore()
    intake = Intake(events_max=4)
    guard = PartitionGuard(ratio_max=0.5, records_min=1_000, clock=lambda: 0.0, has_good=True)
    loop = BatchLoop(
        intake,
        pipeline,
        telemetry,
        guard=guard,
        set_aside=lambda _place, _seconds: None,
        times=BatchTimes(wait_s=lambda: 0.01, store_retry_s=60),
        on_commit=lambda _result: None,
    )
    for partition in (3, 1):
        records = chunk_of([event(), event()]).records
        await intake.put(fetched_chunk(Chunk("topic-of-acme", partition, records), lambda: None))
    await intake.close()
    await loop.run()


def test_a_batch_is_traced_from_its_arrival_to_its_acknowledgement(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One trace a batch, with counts and numbers of partitions; every line of the log meanwhile names it, threads included."""
    formatter = JsonFormatter()
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(caplog.handler, "emit", lambda record: lines.append(json.loads(formatter.format(record))))
    with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        with open_tracing("rice-stream-worker") as tracing:
            asyncio.run(run_one_batch(Telemetry(Metrics(), Heartbeat(timeout_s=60), tracing)))
    assert [span.name for span in receiver.spans] == [
        "rice.fetch",
        "rice.prepare",
        "rice.commit",
        "rice.acknowledge",
        "rice.batch",
    ]
    *parts, batch = receiver.spans
    assert {part.parent_id for part in parts} == {batch.span_id}
    assert batch.parent_id == ""
    assert batch.attributes | {"rice.bytes": 0} == {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.batch.message_count": 4,
        "rice.bytes": 0,
        "rice.partitions": 2,
        "rice.partition_numbers": [1, 3],
    }
    outcome = {"recorded": 0, "duplicates": 4, "conflicts": 0, "quarantined": 1, "older_than_retention": 0}
    assert parts[2].attributes == {f"rice.{name}": count for name, count in outcome.items()}
    assert parts[2].seconds > 0.1, "the transaction was tried again"
    assert b"acme" not in b"".join(receiver.bodies)
    messages = [line["message"].split()[0] for line in lines if line.get("trace_id") == batch.trace_id]
    assert messages == ["prepared", "not", "store", "committed"]
    assert {line["span_id"] for line in lines if "trace_id" in line} == {batch.span_id}


def test_without_traces_lines_of_the_log_have_no_fields_of_theirs() -> None:
    """Nothing is added while they are off."""
    record = logging.LogRecord("rice_stream", logging.INFO, "", 1, "all is well", (), None)
    asyncio.run(run_one_batch(Telemetry(Metrics(), Heartbeat(timeout_s=60))))
    assert set(json.loads(JsonFormatter().format(record))) == {"time", "level", "logger", "message"}
