"""What a producer can do to a partition below all formats: header names, transactions that hang, a flood of garbage."""

import asyncio
import struct
import time
import zlib
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c, encode_varint

from tests.integration.worker.test_offsets import transactional_producer
from tests.support import cases
from tests.support.worker_harness import Deployment
from tests.support.worker_truth import (
    EventMaker,
    Sender,
    assert_exact,
    assert_quarantine,
    assert_records,
    encoded,
    measures_of,
)


def send_with_bad_header_names(deployment: Deployment, partition: int, values: list[bytes]) -> None:
    """One batch with headers whose names are no UTF-8, as librdkafka writes them and every broker takes them."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10**6)
    for number, value in enumerate(values):
        builder.append(number, round(time.time() * 1000), None, value, [("NAME", b"value")] if number % 2 else [])
    raw = bytearray(bytes(builder.build()).replace(b"NAME", b"\xff\xfe\xfdX"))
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))

    send_raw(deployment, partition, bytes(raw))


def send_raw(deployment: Deployment, partition: int, batch: bytes) -> None:
    """A record batch as it is."""

    async def send() -> None:
        client = AIOKafkaClient(bootstrap_servers=deployment.bootstrap_servers)
        await client.bootstrap()
        try:
            request = ProduceRequest(None, -1, 30_000, [(deployment.topic, [(partition, batch)])])
            answer = await client.send(client.get_random_node(), request)
            assert answer.topics[0][1][0][1] == 0, answer
        finally:
            await client.close()

    asyncio.run(send())


def send_bomb(deployment: Deployment, partition: int, size_bytes: int) -> None:
    """One record of so many zeros, packed by gzip to a thousandth of it."""
    batch = bytearray(bytes(DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10**6).build()))
    body = b"\0\0\0\1" + encode_varint_of(size_bytes)  # attributes, time, offset, no key
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(encode_varint_of(len(body) + size_bytes + 1) + body)
    for _ in range(size_bytes // 1_000_000):
        packed += packer.compress(bytes(1_000_000))
    batch += packed + packer.compress(b"\0") + packer.flush()  # no headers
    struct.pack_into(">i", batch, 8, len(batch) - 12)
    struct.pack_into(">h", batch, 21, 1)
    now_ms = round(time.time() * 1000)
    struct.pack_into(">qq", batch, 27, now_ms, now_ms)
    struct.pack_into(">i", batch, 57, 1)
    struct.pack_into(">I", batch, 17, calc_crc32c(bytes(batch[21:])))
    send_raw(deployment, partition, bytes(batch))


def encode_varint_of(number: int) -> bytes:
    """As Kafka writes lengths."""
    found = bytearray()
    encode_varint(number, found.append)
    return bytes(found)


def peak_bytes(pid: int) -> int:
    """The most resident memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def is_read(deployment: Deployment) -> bool:
    """Whether the group has committed every offset."""
    return deployment.committed_offsets() == {place: end or None for place, end in deployment.ends().items()}


def test_a_header_name_that_is_no_utf8_stops_no_worker(deployment: Deployment) -> None:
    """The record is an event like any other, and so are those before and behind it."""
    sender, make = Sender(deployment), EventMaker(71)
    sender.send_event(make(), partition=1)
    sender.confirm()
    events = [make() for _ in range(6)]
    send_with_bad_header_names(deployment, 1, [encoded(event) for event in events])
    for event in events:
        sender.truth.add(event)
    sender.send_event(make(), partition=1)
    sender.confirm()
    worker = deployment.finish()
    assert "no UTF-8" in worker.log
    assert_exact(deployment, sender.truth)


def test_a_batch_that_unpacks_to_a_gigabyte_is_held_as_one_row_and_stops_nobody(deployment: Deployment) -> None:
    """A megabyte on the wire (in a drill; else a fifth of both): the worker's memory stays bounded, and all events before,
    behind and beside it are counted."""
    sender, make = Sender(deployment), EventMaker(74)
    worker = deployment.start_worker()
    for partition in (0, 1):
        sender.send_event(make(), partition=partition)
    sender.confirm()
    worker.until(lambda: deployment.recorded() == 2, "the events before")
    send_bomb(deployment, 1, cases.size(200_000_000, 1_000_000_000))
    for partition in (0, 1, 1):
        sender.send_event(make(), partition=partition)
    sender.confirm()
    worker.until(lambda: deployment.recorded() == 5, "the events behind")
    worker.until(lambda: is_read(deployment), "offsets at the ends")
    assert peak_bytes(worker.pid) < 400_000_000
    assert worker.metrics()["rice_quarantined_total{format=canonical,reason=batch_not_unpacked}"] == 1
    assert worker.stop() == 0, worker.log
    assert_records(deployment, sender.truth, measures_of(sender.truth.events.values(), deployment.folder / "truth"))
    assert deployment.json("verify", "--against-topic")["ok"]
    (row,) = deployment.json("quarantine", "list")["rows"]
    assert (row["partition"], row["offset"], row["reason"]) == (1, 1, "batch_not_unpacked")


def test_a_transaction_that_hangs_makes_no_lag_and_restarts_nobody(deployment: Deployment) -> None:
    """Nobody can read behind it: that is no fault of the worker's, which stays alive, and reads on when it ends."""
    sender, make = Sender(deployment), EventMaker(72)
    producer = transactional_producer(deployment, "hanging")
    worker = deployment.start_worker(progress_timeout_s=5)
    sender.send_event(make(), partition=0)
    sender.confirm()
    worker.until(lambda: deployment.recorded() == 1, "the event before")
    producer.begin_transaction()
    producer.produce(deployment.topic, encoded(make(tenant_id="never")), partition=0)
    producer.flush()
    sender.send_event(make(), partition=0)
    sender.confirm()
    until = time.monotonic() + 8
    worker.until(lambda: worker.get("/healthz")[0] == 503 or time.monotonic() > until, "more than the limit to pass")
    assert worker.get("/healthz")[0] == 200
    assert deployment.recorded() == 1
    assert worker.metrics()[f"rice_consumer_lag{{partition=0,topic={deployment.topic}}}"] == 0
    producer.abort_transaction(30)
    worker.until(lambda: deployment.recorded() == 2, "the event behind")
    worker.until(lambda: is_read(deployment), "offsets at the ends")
    assert worker.stop() == 0
    assert_records(deployment, sender.truth, measures_of(sender.truth.events.values(), deployment.folder / "truth"))


def test_garbage_delays_its_own_partition_and_stops_nobody(deployment: Deployment) -> None:
    """A running worker goes on with the other partitions, says what waits, and works the garbage off by itself: it is held,
    the good events of that partition are counted, offsets reach the ends."""
    sender, make = Sender(deployment), EventMaker(73)
    worker = deployment.start_worker(quarantine_ratio_events_min=50)
    sender.send_event(make(), partition=1)
    sender.confirm()
    worker.until(lambda: deployment.recorded() == 1, "something good")
    for number in range(120):
        if number % 4:
            sender.send(b"garbage", partition=0, refused_items=[0])
        else:
            sender.send_event(make(), partition=0)
    sender.confirm()
    worker.until(lambda: f"partition {deployment.topic}/0" in worker.get("/readyz")[1], "the partition to be named")
    before = deployment.recorded()
    for _ in range(40):
        sender.send_event(make(), partition=2)
    sender.confirm()
    worker.until(lambda: deployment.recorded() >= before + 40, "the other partitions")
    assert worker.get("/healthz")[0] == 200
    worker.until(lambda: is_read(deployment), "the garbage to be worked off")
    assert worker.metrics()[f"rice_partition_pauses_total{{partition=0,topic={deployment.topic}}}"] >= 1
    for _ in range(60):
        sender.send_event(make(), partition=0)
    sender.confirm()
    worker.until(lambda: worker.get("/readyz")[0] == 200, "all to be well")
    assert worker.stop() == 0, worker.log
    assert_quarantine(deployment, sender.truth)
    assert_exact(deployment, sender.truth)
