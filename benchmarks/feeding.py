"""A process that sends new events at a steady rate, each ending now and with an id of its own: the load of the live benchmarks.

python -m benchmarks.feeding BOOTSTRAP_SERVERS RATE TENANTS     feeds until it is ended
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.harness import PARTITIONS, TOPIC
from benchmarks.traffic import TENANTS, events, stamp

_TICK_S = 0.02
_TEMPLATES = 5_000
_AT_ONCE = 2_000
"""Events with the same end."""


@contextmanager
def feeder(bootstrap_servers: str, rate: int, tenants: int = TENANTS) -> Iterator[subprocess.Popen[bytes]]:
    """A process that sends so many new events a second for as long as the block lasts."""
    command = [sys.executable, "-m", "benchmarks.feeding", bootstrap_servers, str(rate), str(tenants)]
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.terminate()


def sent_so_far(bootstrap_servers: str) -> int:
    """Events that were ever sent: the broker has dropped none."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "bench-ends"})
    try:
        ends = [
            consumer.get_watermark_offsets(TopicPartition(TOPIC, each), timeout=30)[1] for each in range(PARTITIONS)
        ]
    finally:
        consumer.close()
    return sum(ends)


def _feed(bootstrap_servers: str, rate: int, tenants: int) -> None:
    """So many events a second; but for id and end they are those of a few thousand."""
    producer = Producer(
        {"bootstrap.servers": bootstrap_servers, "linger.ms": 20, "batch.num.messages": 10_000, "partitioner": "random"}
    )
    parts = [_parts(value) for _, value in events(_TEMPLATES, seed=2, tenants=tenants)]
    began, sent = time.perf_counter(), 0
    while True:
        due = int(rate * (time.perf_counter() - began))
        until = min(due, sent + _AT_ONCE)
        now = stamp(datetime.now(UTC)).encode()
        for number in range(sent, until):
            head, middle, tail = parts[number % _TEMPLATES]
            _send(producer, b"%s%012x-fed%s%s%s" % (head, number, middle, now, tail))
        sent = until
        producer.poll(0)
        if until == due:
            time.sleep(_TICK_S)


def _send(producer: Producer, value: bytes) -> None:
    """Once there is room for it: more than the broker takes is not sent."""
    while True:
        try:
            producer.produce(TOPIC, value)
        except BufferError:
            producer.poll(_TICK_S)
        else:
            return


def _parts(value: bytes) -> tuple[bytes, bytes, bytes]:
    """What stands before the id, between it and the end, and behind that."""
    before, _, rest = value.partition(b'"event_id":"')
    middle, _, last = rest.partition(b'"ended_at":"')
    return before + b'"event_id":"', middle[middle.index(b'"') :] + b'"ended_at":"', last[last.index(b'"') :]


if __name__ == "__main__":
    _feed(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
