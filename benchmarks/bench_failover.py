"""From kill -9 of one of two workers to going on."""

import threading
import time
from datetime import UTC, datetime

from confluent_kafka import Producer
from sqlalchemy import Engine, select

from benchmarks.harness import TOPIC, Row, seen, stack, worker
from benchmarks.traffic import events
from rice_stream.store import schema
from rice_stream.store.engine import reading

_RATE = 5_000
_SECONDS = 60


def run() -> list[dict[str, object]]:
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
    columns = schema.kafka_progress.c
    with reading(engine) as connection:
        return dict(connection.execute(select(columns.partition, columns.last_offset)).tuples().all())


def _background(producer: Producer, stop: threading.Event, rate: int = _RATE) -> None:
    pairs = events(rate * _SECONDS * 3, start=datetime.now(UTC), per_second=rate)
    begun = time.monotonic()
    for number, (_, value) in enumerate(pairs):
        producer.produce(TOPIC, value)
        if number % 100 == 0:
            producer.poll(0)
            ahead = number / rate - (time.monotonic() - begun)
            if ahead > 0:
                stop.wait(ahead)
            if stop.is_set():
                return
