"""From the event that crosses a budget to the alert on the alerts topic, and from kill -9 to going on."""

import json
import threading
import time
from datetime import UTC, datetime

from confluent_kafka import Consumer, Producer
from sqlalchemy import Engine

from benchmarks.harness import ALERTS, TOPIC, Row, seen, stack, worker
from benchmarks.traffic import events
from rice_stream.budgets.parsing import parse_budget
from rice_stream.sandbox.stack.stack import LocalStack
from rice_stream.store import budget_store
from rice_stream.store.engine import writing

_RATE = 5_000
_SECONDS = 60
_TENANTS = 150


def run() -> list[dict[str, object]]:
    """p99 of crossing to alert at 5,000 events/s, against the limit of 1 s."""
    with stack() as (servers, engine):
        _budgets(engine)
        consumer = _alerts_consumer(servers)
        with worker(servers):
            latencies = _cross_budgets(servers, consumer)
        consumer.close()
    ordered = sorted(latencies)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    median = ordered[len(ordered) // 2]
    return [
        Row.against("alert after its crossing, p99", p99, "s", "limit", 1.0).as_dict(),
        Row.against("alert after its crossing, median", median, "s", "limit", 1.0).as_dict(),
    ]


def _budgets(engine: Engine) -> None:
    with writing(engine) as connection:
        for number in range(_TENANTS):
            budget = parse_budget(
                {
                    "name": f"b{number}",
                    "tenant_id": f"crossing-{number}",
                    "limit_gco2e": 1000,
                    "period": "day",
                    "thresholds": [1.0],
                }
            )
            budget_store.save_budget(connection, budget, time.time_ns() // 1000)


def _alerts_consumer(servers: LocalStack) -> Consumer:
    consumer = Consumer(
        {"bootstrap.servers": servers.bootstrap_servers, "group.id": "bench-alerts", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([ALERTS])
    return consumer


def _cross_budgets(servers: LocalStack, consumer: Consumer) -> list[float]:
    """Background traffic at the rate, and now and then one event so large that it crosses its tenant's budget."""
    producer = Producer({"bootstrap.servers": servers.bootstrap_servers, "linger.ms": 5})
    stop = threading.Event()
    background = threading.Thread(target=_background, args=(producer, stop), daemon=True)
    background.start()
    sent: dict[str, float] = {}
    latencies: list[float] = []
    consumer.poll(1.0)
    time.sleep(20)  # let the worker join and meet the names: what is measured is a running system
    for number in range(_TENANTS):
        tenant = f"crossing-{number}"
        sent[tenant] = time.monotonic()
        producer.produce(TOPIC, _crossing_event(tenant))
        producer.flush(5)
        latencies += _arrived(consumer, sent, until=time.monotonic() + 0.4)
    latencies += _arrived(consumer, sent, until=time.monotonic() + 5)
    stop.set()
    background.join()
    if len(latencies) != _TENANTS:
        raise RuntimeError(f"{len(latencies)} of {_TENANTS} alerts arrived")
    return latencies


def _arrived(consumer: Consumer, sent: dict[str, float], *, until: float) -> list[float]:
    latencies = []
    while time.monotonic() < until:
        message = consumer.poll(0.02)
        if message is not None and message.error() is None:
            tenant = json.loads(message.value() or b"")["data"]["tenant_id"]
            if tenant in sent:
                latencies.append(time.monotonic() - sent.pop(tenant))
    return latencies


def _background(producer: Producer, stop: threading.Event) -> None:
    pairs = events(_RATE * _SECONDS * 3, start=datetime.now(UTC), per_second=_RATE)
    begun = time.monotonic()
    for number, (_, value) in enumerate(pairs):
        producer.produce(TOPIC, value)
        if number % 100 == 0:
            producer.poll(0)
            ahead = number / _RATE - (time.monotonic() - begun)
            if ahead > 0:
                stop.wait(ahead)
            if stop.is_set():
                return


def _crossing_event(tenant: str) -> bytes:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps(
        {
            "event_id": "crossing",
            "tenant_id": tenant,
            "ended_at": now,
            "request_model": "gpt-4o",
            "input_tokens": 1_000_000,
            "output_tokens": 100_000_000,
        }
    ).encode()


def run_failover() -> list[dict[str, object]]:
    """kill -9 of one of two workers: seconds until its partitions are being processed again, against 10 s."""
    with stack() as (servers, engine), worker(servers) as first, worker(servers):
        producer = Producer({"bootstrap.servers": servers.bootstrap_servers, "linger.ms": 5, "partitioner": "random"})
        stop = threading.Event()
        background = threading.Thread(target=_background, args=(producer, stop), daemon=True)
        background.start()
        while seen(engine) < 5 * _RATE:
            time.sleep(0.1)
        time.sleep(5)
        before = _partition_offsets(engine)
        first.kill()
        killed = time.monotonic()
        time.sleep(2)
        stuck = {p for p, offset in _partition_offsets(engine).items() if offset - before[p] < _RATE / 4}
        base = _partition_offsets(engine)
        while any(_partition_offsets(engine)[p] <= base[p] for p in stuck):
            time.sleep(0.05)
        seconds = time.monotonic() - killed
        stop.set()
        background.join()
    return [Row.against("going on after kill -9 of one of two workers", seconds, "s", "limit", 10.0).as_dict()]


def _partition_offsets(engine: Engine) -> dict[int, int]:
    from sqlalchemy import select

    from rice_stream.store import schema
    from rice_stream.store.engine import reading

    columns = schema.kafka_progress.c
    with reading(engine) as connection:
        return dict(connection.execute(select(columns.partition, columns.last_offset)).tuples().all())
