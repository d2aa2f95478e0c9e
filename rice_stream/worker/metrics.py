"""Every metric of the worker, in one place. docs/metrics.md explains each; a test checks that every one is documented.

Counters count what was committed, so that their sums can be compared with the store. Tenants are no label: their number
has no bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from rice_stream.basis import Basis
from rice_stream.instants import SECOND_US
from rice_stream.pipeline.chunks import Chunk
from rice_stream.store.batch import Batch, CommitResult
from rice_stream.worker.weighted_histogram import WeightedHistogram

_BATCH_BUCKETS = (1, 10, 100, 1_000, 5_000, 10_000, 20_000, 40_000, 80_000)
_SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
OUTCOMES = ("recorded", "duplicate", "conflict", "quarantined", "older_than_retention")
"""What becomes of an event."""
_WAIT_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600, 21_600, 86_400)
"""Seconds; the promises of docs/metrics.md end at 2.5 and at 5."""


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(name, text, labels, registry=None)


@dataclass(frozen=True)
class Metrics:
    """The metrics of one worker, on a registry of their own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    events: Counter = field(
        default_factory=lambda: _counter(
            "rice_events",
            "Events committed, by outcome: recorded, duplicate, conflict, quarantined, older_than_retention",
            "outcome",
        )
    )
    repeated_ids: Counter = field(
        default_factory=lambda: _counter(
            "rice_repeated_ids", "Events recorded whose id this worker has lately recorded with another time"
        )
    )
    quarantined: Counter = field(
        default_factory=lambda: _counter(
            "rice_quarantined", "Events put into quarantine, by source format and reason", "format", "reason"
        )
    )
    ignored: Counter = field(
        default_factory=lambda: _counter(
            "rice_ignored", "Items that are no requests to a model, by source format and reason", "format", "reason"
        )
    )
    fallbacks: Counter = field(
        default_factory=lambda: _counter(
            "rice_estimate_basis", "Estimates that are not the plain case, by why", "basis"
        )
    )
    rungs: Counter = field(
        default_factory=lambda: _counter(
            "rice_factor_rungs", "Prompts by factor (model, region, PUE) and rung of its ladder", "factor", "rung"
        )
    )
    contexts: Gauge = field(
        default_factory=lambda: Gauge(
            "rice_contexts", "Kinds of requests at hand: model, place, factors", registry=None
        )
    )
    input_tokens: Counter = field(default_factory=lambda: _counter("rice_input_tokens", "Input tokens recorded"))
    output_tokens: Counter = field(default_factory=lambda: _counter("rice_output_tokens", "Output tokens recorded"))
    facility_energy: Counter = field(
        default_factory=lambda: _counter("rice_facility_energy_wh", "Facility energy recorded, Wh")
    )
    carbon: Counter = field(
        default_factory=lambda: _counter("rice_carbon_gco2e", "Carbon recorded, gCO2e, by end of the range", "estimate")
    )
    batches: Counter = field(default_factory=lambda: _counter("rice_batches", "Batches committed"))
    batch_events: Histogram = field(
        default_factory=lambda: Histogram(
            "rice_batch_events", "Events of a batch", buckets=_BATCH_BUCKETS, registry=None
        )
    )
    intake_bytes: Gauge = field(
        default_factory=lambda: Gauge(
            "rice_intake_bytes", "Bytes of the records that were fetched and are not stored yet", registry=None
        )
    )
    prepare_seconds: Histogram = field(
        default_factory=lambda: Histogram(
            "rice_prepare_seconds", "Decoding and estimating a batch", buckets=_SECONDS_BUCKETS, registry=None
        )
    )
    commit_seconds: Histogram = field(
        default_factory=lambda: Histogram(
            "rice_commit_seconds", "The transaction of a batch", buckets=_SECONDS_BUCKETS, registry=None
        )
    )
    ingest_freshness: WeightedHistogram = field(
        default_factory=lambda: WeightedHistogram(
            "rice_ingest_freshness_seconds", "Events by the time from Kafka's timestamp to the commit", _WAIT_BUCKETS
        )
    )
    event_freshness: WeightedHistogram = field(
        default_factory=lambda: WeightedHistogram(
            "rice_event_freshness_seconds", "Events by the time from their end to the commit", _WAIT_BUCKETS
        )
    )
    store_retries: Counter = field(
        default_factory=lambda: _counter("rice_store_retries", "Batches tried again because the store failed")
    )
    partition_pauses: Counter = field(
        default_factory=lambda: _counter(
            "rice_partition_pauses",
            "Times that a partition waited because most of its records are refused",
            "topic",
            "partition",
        )
    )
    lag: Gauge = field(
        default_factory=lambda: Gauge(
            "rice_consumer_lag",
            "Records between the group's committed offset and the end",
            ["topic", "partition"],
            registry=None,
        )
    )
    alerts: Counter = field(
        default_factory=lambda: _counter("rice_alerts", "Budget changes put into the outbox, by state", "state")
    )
    alerts_delivered: Counter = field(
        default_factory=lambda: _counter("rice_alerts_delivered", "Budget changes the broker has confirmed")
    )
    alert_delivery_failures: Counter = field(
        default_factory=lambda: _counter("rice_alert_delivery_failures", "Tries to publish alerts that failed")
    )
    alert_latency: Histogram = field(
        default_factory=lambda: Histogram(
            "rice_alert_latency_seconds",
            "From the commit that a budget was judged after to the broker's confirmation of the alert",
            buckets=_WAIT_BUCKETS,
            registry=None,
        )
    )
    delivery_overdue: Gauge = field(
        default_factory=lambda: Gauge(
            "rice_delivery_overdue_seconds",
            "How long a delivery has waited for a server, where none takes it",
            registry=None,
        )
    )
    budgets_unreadable: Gauge = field(
        default_factory=lambda: Gauge(
            "rice_budgets_unreadable", "Budgets that are not judged because they cannot be read", registry=None
        )
    )
    judge_seconds: Histogram = field(
        default_factory=lambda: Histogram(
            "rice_judge_seconds", "Judging budgets once", buckets=_SECONDS_BUCKETS, registry=None
        )
    )
    clock_offset: Gauge = field(
        default_factory=lambda: Gauge(
            "rice_clock_offset_seconds", "How far this machine's clock is ahead of the database's", registry=None
        )
    )
    last_commit: Gauge = field(
        default_factory=lambda: Gauge(
            "rice_last_commit_timestamp_seconds", "When a batch was last committed", registry=None
        )
    )
    memory: Gauge = field(
        default_factory=lambda: Gauge("rice_resident_memory_bytes", "Resident memory of the worker", registry=None)
    )

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if name != "registry":
                self.registry.register(getattr(self, name))
        # A rate knows nothing of what a series began with, so they begin with 0.
        for outcome in OUTCOMES:
            self.events.labels(outcome)

    def visible(self, batch: Batch, chunks: Sequence[Chunk], now_us: int) -> None:
        """Count how old the events of a committed batch are now, in epoch microseconds.

        Each event of a chunk is taken to be as old as the chunk's first record: one look a chunk, none an event.
        """
        records = batch.records
        if records.untimed.any():
            ended_at_us = records.columns["ended_at_us"][~records.untimed]
        else:
            ended_at_us = records.columns["ended_at_us"]
        self.event_freshness.observe((now_us - ended_at_us) / SECOND_US)
        written = [(_written_at_us(chunk), len(chunk.records)) for chunk in chunks if chunk.records]
        known = [(now_us - at_us, count) for at_us, count in written if at_us is not None]
        self.ingest_freshness.observe([age_us / SECOND_US for age_us, _ in known], [count for _, count in known])

    def committed(self, batch: Batch, result: CommitResult) -> None:
        """Count what a batch did; amounts are those of the newly recorded prompts."""
        outcomes = {
            "recorded": result.recorded,
            "duplicate": result.duplicates,
            "conflict": result.conflicts,
            "quarantined": result.quarantined,
            "older_than_retention": result.older_than_retention,
        }
        for outcome, count in outcomes.items():
            self.events.labels(outcome).inc(count)
        for refused in batch.refused:
            self.quarantined.labels(refused.source_format, refused.reason).inc(refused.items)
        for ignored, count in batch.ignored.items():
            self.ignored.labels(*ignored).inc(count)
        for rung, count in batch.rungs.items():
            self.rungs.labels(*rung).inc(count)
        self.contexts.set(batch.contexts)
        self.batches.inc()
        self.batch_events.observe(sum(outcomes.values()))
        self.last_commit.set_to_current_time()
        self.input_tokens.inc(result.sums["input_tokens"])
        self.output_tokens.inc(result.sums["output_tokens"])
        self.facility_energy.inc(result.sums["facility_energy_uwh"] / 1e6)
        for end in ("low", "mid", "high"):
            self.carbon.labels(end).inc(result.sums[f"carbon_{end}_ugco2e"] / 1e6)
        self._count_basis(batch)

    def _count_basis(self, batch: Batch) -> None:
        flags, counts = np.unique(batch.records.columns["basis_flags"], return_counts=True)
        for value, count in zip(flags.tolist(), counts.tolist(), strict=True):
            for flag in Basis:
                if value & flag and flag.name:
                    self.fallbacks.labels(flag.name.lower()).inc(count)


@dataclass(frozen=True)
class ProcessMetrics:
    """The metrics of several worker processes that run as one, beside those of each."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    running: Gauge = field(
        default_factory=lambda: Gauge("rice_worker_processes", "Worker processes that run", registry=None)
    )
    restarts: Counter = field(
        default_factory=lambda: _counter(
            "rice_worker_process_restarts", "Worker processes started again after they ended"
        )
    )

    def __post_init__(self) -> None:
        self.registry.register(self.running)
        self.registry.register(self.restarts)


def _written_at_us(chunk: Chunk) -> int | None:
    """Kafka's time of the first record; None: it has none, or is no record of Kafka."""
    written_at_ms: int | None = getattr(chunk.records[0], "timestamp", None)
    return None if written_at_ms is None or written_at_ms < 0 else 1_000 * written_at_ms
