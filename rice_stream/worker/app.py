"""The Faust app: consumer group, rebalances and the agent are Faust's; what a chunk means is the pipeline's."""

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import faust
from faust.types import TP, EventT

from rice_stream.alerting.judge import Judge
from rice_stream.errors import RiceError, ServiceUnavailableError
from rice_stream.kafka.client import describe_topics
from rice_stream.kafka.lag import LagProbe
from rice_stream.kafka.topic_identity import TopicIdentity
from rice_stream.pipeline.chunks import Chunk, Place
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.runtime.opening_kafka import kafka_config
from rice_stream.runtime.settings.settings import Settings
from rice_stream.runtime.tracing import OFF, Tracing
from rice_stream.store.batch import CommitResult
from rice_stream.store.engine import Engine
from rice_stream.store.revisions import head_revision
from rice_stream.store.topic_progress import has_events
from rice_stream.worker import fetch_pacing, inner_names
from rice_stream.worker.alerts_topic import AlertsTopic
from rice_stream.worker.batch_pace import BatchPace
from rice_stream.worker.batches import BatchLoop
from rice_stream.worker.credentials import broker_credentials, broker_urls
from rice_stream.worker.deadline import StopDeadline, stop_limit_s
from rice_stream.worker.delivery_watch import DeliveryWatch
from rice_stream.worker.event_id_upkeep import keep_event_ids_listed
from rice_stream.worker.headroom import Headroom
from rice_stream.worker.health import Heartbeat, Showable, Telemetry, served_over_http
from rice_stream.worker.held_chunks import BatchTimes
from rice_stream.worker.intake import Intake, fetched_chunk
from rice_stream.worker.ledger_clock import open_ledger_clock
from rice_stream.worker.metrics import Metrics
from rice_stream.worker.partition_guard import guard_of
from rice_stream.worker.partitions_ahead import keep_partitions_ahead
from rice_stream.worker.relay import Relay
from rice_stream.worker.retention import Retention, retention_days
from rice_stream.worker.schema_watch import SchemaWatch
from rice_stream.worker.sweep import BudgetSweep, sweep_lease

log = logging.getLogger(__name__)

LAG_INTERVAL_S = 2.0
BEAT_INTERVAL_S = 1.0
_GC_EVERY_BATCHES = 64


class _App(faust.App):
    """Faust's app without the folders that it makes for tables: there are none, and a worker may have nowhere to write."""

    def _create_directories(self) -> None:
        """None."""


def create_app(settings: Settings, pace: BatchPace) -> faust.App:
    """A Faust app with our transport, which fetches at this pace, and the settings that docs/architecture.md explains.

    UsageError: a version of Faust or aiokafka that was not tested, or a Kafka setting that is missing or wrong.
    """
    inner_names.check()
    fetch_pacing.install(pace)
    config = kafka_config(settings)
    return _App(
        settings.kafka_group_id,
        broker=broker_urls(config),
        broker_credentials=broker_credentials(config),
        broker_session_timeout=settings.kafka_session_timeout_s,
        broker_heartbeat_interval=settings.kafka_session_timeout_s / 3,
        broker_request_timeout=max(90.0, settings.kafka_session_timeout_s),
        broker_rebalance_timeout=max(15.0, settings.kafka_session_timeout_s),
        broker_max_poll_records=5_000,
        broker_commit_interval=1.0,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=settings.kafka_fetch_max_bytes,
        # How soon partitions that were added, or a topic that was created again, are noticed (Faust waits 5 minutes).
        consumer_metadata_max_age_ms=10_000,
        producer_acks=-1,
        stream_buffer_maxsize=4,
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        autodiscover=False,
        store="memory://",
    )


class Worker:
    """One worker process: `await run()` returns when it was asked to stop and everything it had is stored and acked."""

    _all_partitions: frozenset[tuple[str, int]] = frozenset()

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        judge: Judge,
        engine: Engine,
        metrics: Metrics,
        tracing: Tracing = OFF,
        show: Callable[[Showable], AbstractContextManager[None]] | None = None,
    ) -> None:
        """`show`: shows it in another way than over HTTP."""
        self._settings = settings
        self._show = show or partial(served_over_http, settings.http_host, settings.worker_http_port)
        self._engine = engine
        self._telemetry = Telemetry(metrics, Heartbeat(timeout_s=settings.progress_timeout_s), tracing)
        pace = BatchPace(settings.batch_wait_s)
        self._app = create_app(settings, pace)
        self._intake = Intake(events_max=settings.batch_events_max)
        self._stop = asyncio.Event()
        self._last_arrival_s = time.monotonic()
        self._batches_committed = 0
        self._clock = open_ledger_clock(engine, self._telemetry)
        self._retention = Retention(engine, retention_days(settings), self._telemetry, self._clock.now_us)
        self._had: frozenset[TP] = frozenset()
        """The partitions that were this worker's when the lag was last looked at."""
        alerts = AlertsTopic(self._app, settings.alerts_topic)
        self._relay = Relay(
            engine, alerts.publish, self._telemetry, interval_s=settings.budget_sweep_s, now_us=self._clock.now_us
        )
        headroom = Headroom(self._clock.now, self._reads_all)
        self._sweep = BudgetSweep(
            judge,
            sweep_lease(engine, settings.budget_sweep_s),
            self._telemetry,
            sweep_s=settings.budget_sweep_s,
            interval_s=settings.budget_judge_interval_s,
            pace=pace,
            headroom=headroom,
            on_change=self._relay.wake,
            now=self._clock.now,
        )
        self._deliveries = DeliveryWatch(engine, self._telemetry.metrics)
        self._schema = SchemaWatch(engine, head_revision(), interval_s=settings.budget_sweep_s)
        self._batches = BatchLoop(
            self._intake,
            pipeline,
            self._telemetry,
            guard=guard_of(settings, has_good=has_events(engine, settings.events_topics)),
            set_aside=self._set_aside,
            times=BatchTimes(lambda: pace.wait_s, settings.store_retry_s, lambda: pace.wait_max_s),
            on_commit=self._committed,
            now_us=self._clock.now_us,
            headroom=headroom,
        )
        events = self._app.topic(
            *settings.events_topics, value_type=bytes, value_serializer="raw", key_serializer="raw"
        )
        self._app.agent(events, name="rice-events")(self._agent)

    # --- the parts that run -------------------------------------------------------------------------------------

    async def run(self, *, until_idle_s: float | None = None) -> None:
        """Work until SIGTERM or SIGINT (or until idle). RiceError: why it had to stop; what was not stored is un-acked."""
        settings = self._settings
        wanted = (*settings.events_topics, settings.alerts_topic)
        topics = await asyncio.to_thread(describe_topics, kafka_config(settings), wanted)
        missing = [topic for topic, partitions in topics.items() if partitions is None]
        if missing:
            raise ServiceUnavailableError(f"these topics do not exist: {', '.join(missing)}; create them first")
        with self._show(self._telemetry):
            # Decoding makes and drops millions of small objects without cycles: collecting now and then is enough.
            gc.freeze()
            gc.disable()
            self._handle_signals()
            await asyncio.to_thread(self._clock.measure)
            await self._run_app(until_idle_s)

    async def _run_app(self, until_idle_s: float | None) -> None:
        batches = asyncio.create_task(self._batches.run(), name="batches")
        helpers = [
            asyncio.create_task(self._relay.run(), name="relay"),
            asyncio.create_task(self._sweep.run(), name="judge"),
            asyncio.create_task(self._watch_lag(until_idle_s), name="lag"),
            asyncio.create_task(self._beat(), name="beat"),
            asyncio.create_task(keep_partitions_ahead(self._engine), name="partitions"),
            asyncio.create_task(keep_event_ids_listed(self._engine), name="event ids"),
            asyncio.create_task(self._schema.run(), name="schema"),
            asyncio.create_task(self._clock.run(), name="clock"),
            asyncio.create_task(self._retention.run(), name="retention"),
            asyncio.create_task(self._deliveries.run(), name="deliveries"),
        ]
        stopping: asyncio.Task[Any] = asyncio.create_task(self._stop.wait(), name="stop")
        app_ends = asyncio.create_task(self._app_ends(), name="app")
        deadline = StopDeadline(stop_limit_s(self._settings.store_retry_s))
        try:
            await self._app.start()
            await asyncio.wait([batches, stopping, app_ends, *helpers], return_when=asyncio.FIRST_COMPLETED)
            deadline.start()
            # Finish what was fetched; a failure above comes out of `batches` here.
            await self._intake.close()
            await batches
            if not app_ends.done():
                await self._app.consumer.commit()
            for task in helpers:
                if task.done():
                    task.result()
            await self._sweep.finish()
            await self._relay.drain()
        finally:
            for task in (stopping, app_ends, *helpers, batches):
                task.cancel()
            await asyncio.gather(stopping, app_ends, batches, *helpers, return_exceptions=True)
            await self._app.stop()
            deadline.cancel()
        if self._app.crash_reason is not None:
            raise RiceError(f"the Kafka consumer failed: {self._app.crash_reason!r}") from self._app.crash_reason

    async def _app_ends(self) -> None:
        await self._app.wait_until_stopped()

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)

    async def _agent(self, stream: Any) -> None:
        async for event in stream.noack().events():
            await self._receive(event)

    async def _receive(self, event: EventT[Any]) -> None:
        records: Any = event.message.value  # the transport's messages carry a chunk of records
        self._last_arrival_s = time.monotonic()
        chunk = Chunk(event.message.topic, event.message.partition, records)
        # Faust keeps messages until they are acknowledged; the bytes of their records may go earlier.
        event.value = event.message.value = None
        consumer: Any = self._app.consumer  # ours, from the transport
        await self._intake.put(fetched_chunk(chunk, event.ack, partial(consumer.is_void, event.message)))
        self._telemetry.metrics.intake_bytes.set(self._intake.size_bytes)

    def _set_aside(self, place: Place, seconds: float) -> None:
        consumer: Any = self._app.consumer  # ours, from the transport
        consumer.set_aside(TP(*place), seconds)

    def _reads_all(self) -> bool:
        consumer: Any = self._app.consumer  # ours, from the transport
        return bool(self._all_partitions) and self._all_partitions <= consumer.assigned

    def _committed(self, result: CommitResult) -> None:
        self._sweep.touch(result.tenants)
        self._batches_committed += 1
        if self._batches_committed % _GC_EVERY_BATCHES == 0:
            gc.collect()

    async def _beat(self) -> None:
        while True:
            self._telemetry.heartbeat.beat()
            await asyncio.sleep(BEAT_INTERVAL_S)

    def _watch_own_lag(self, lags: dict[tuple[str, int], int]) -> None:
        """Consumers have been seen to hang without an error: what lies on the broker for this worker waits as well."""
        consumer: Any = self._app.consumer  # ours, from the transport
        self._batches.gave_away(tuple(tp) for tp in self._had - consumer.assigned)
        self._had = consumer.assigned
        self._all_partitions = frozenset(lags)
        own = [lags.get((tp.topic, tp.partition), 0) for tp in consumer.assigned if not consumer.is_aside(tp)]
        if any(own):
            self._telemetry.heartbeat.waiting()
        elif not self._intake and own:
            self._telemetry.heartbeat.caught_up()

    async def _watch_lag(self, until_idle_s: float | None) -> None:
        settings = self._settings
        consumer: Any = self._app.consumer  # ours, from the transport
        probe = LagProbe(kafka_config(settings), settings.kafka_group_id, settings.events_topics)
        identity = TopicIdentity(kafka_config(settings), settings.events_topics)
        try:
            while True:
                # Half as long as it has to be idle, to notice that in time.
                await asyncio.sleep(LAG_INTERVAL_S if until_idle_s is None else min(LAG_INTERVAL_S, until_idle_s / 2))
                await consumer.check_errors()
                try:
                    for name in await asyncio.to_thread(identity.made_again):
                        log.warning("the topic %s was deleted and made again: reading it from its start", name)
                        consumer.read_from_the_start(name)
                    lags = await asyncio.to_thread(probe.lag)
                except ServiceUnavailableError as error:
                    self._telemetry.heartbeat.set_problem("kafka", str(error))
                    continue
                self._telemetry.heartbeat.set_problem("kafka", None)
                for (topic, partition), lag in lags.items():
                    self._telemetry.metrics.lag.labels(topic, str(partition)).set(lag)
                self._watch_own_lag(lags)
                idle_s = time.monotonic() - self._last_arrival_s
                if until_idle_s is not None and idle_s >= until_idle_s and not any(lags.values()):
                    self._stop.set()
        finally:
            probe.close()
