"""What is no event: kept aside one by one, and a start that finds nothing else ends before anything is stored."""

import json
import random
from collections.abc import Callable

from tests.support.cases import drawn, size
from tests.support.databases import Databases
from tests.support.worker_harness import Deploy, Deployment
from tests.support.worker_truth import (
    Event,
    EventMaker,
    RefusedItem,
    Sender,
    assert_exact,
    assert_read_to_the_end,
    encoded,
)


def test_a_start_that_finds_nothing_but_garbage_ends_with_nothing_stored_or_acked(
    deploy: Deploy, either_database: Databases
) -> None:
    """Exit code 1, one line that says how many, why, and which setting; no row and no offset of that batch."""
    deployment = deploy(either_database, partitions=1)
    sender = Sender(deployment, partitions=1)
    for _ in range(2000):
        sender.send(b'{"looks": "like another system\'s events"}')
    sender.confirm()
    exit_code, output = deployment.run("worker", "--until-idle", "1")
    assert exit_code == 1
    said = [line for line in output.splitlines() if line.startswith("rice-stream: ")]
    assert len(said) == 1
    assert "2000 of the last 2000 records were refused" in said[0]
    assert "missing_field" in said[0]
    assert "RICE_QUARANTINE_RATIO_MAX" in said[0]
    assert "Traceback" not in output
    for table in ("prompt_record", "minute_total", "slot_total", "quarantine", "kafka_progress"):
        assert deployment.value(f"SELECT COUNT(*) FROM {table}") == 0, table
    assert set(deployment.committed_offsets().values()) == {None}
    # The operator looks, decides that this is what it is, and lets it through.
    deployment.finish(quarantine_ratio_max="1")
    assert deployment.value("SELECT COUNT(*) FROM quarantine") == 2000
    assert_read_to_the_end(deployment)


def test_garbage_among_good_events_makes_its_partition_wait_and_then_goes_through(
    deploy: Deploy, either_database: Databases
) -> None:
    """Three of five records are refused: nothing is stored or acknowledged before the wait, everything after it."""
    deployment = deploy(either_database, partitions=1)
    sender, make = Sender(deployment, partitions=1), EventMaker(51)
    for number in range(2000):
        if number % 5 < 3:
            sender.send(b'{"looks": "like another system\'s events"}', refused_items=[0])
        else:
            sender.send_event(make())
    sender.confirm()
    worker = deployment.finish()
    assert "1200 of the last 2000 records of partition 0" in worker.log
    assert_exact(deployment, sender.truth)


def test_below_the_limit_the_worker_goes_on(deploy: Deploy, either_database: Databases) -> None:
    """Two of five events are refused: all of those are in quarantine, all others are counted."""
    deployment = deploy(either_database, partitions=1)
    sender, make = Sender(deployment, partitions=1), EventMaker(52)
    for number in range(2000):
        if number % 5 < 2:
            sender.send(b"no event", refused_items=[0])
        else:
            sender.send_event(make())
    sender.confirm()
    deployment.finish()
    assert_exact(deployment, sender.truth)


def test_one_record_of_bad_items_stops_nobody(deploy: Deploy, either_database: Databases) -> None:
    """2,001 bytes that hold 1,000 bad items, and a record with 100,000 of them, between a few good ones: all good ones are
    recorded, all offsets are read, and of each bad record 100 items are held, and one row for the others."""
    deployment = deploy(either_database, partitions=1)
    sender, make = Sender(deployment, partitions=1), EventMaker(53)
    bad = [b"[" + b",".join([b"0"] * count) + b"]" for count in (1_000, 100_000)]
    for value in bad:
        sender.send_event(make())
        sender.send(value, refused_items=range(101))
    sender.send_event(make())
    sender.confirm()
    worker = deployment.start_worker()
    worker.until(lambda: stored_records(deployment) == 5, "all records to be stored or in quarantine")
    worker.until(lambda: worker.metrics().get("rice_events_total{outcome=recorded}") == 3, "it to be counted")
    held = {reason: f"rice_quarantined_total{{format=canonical,reason={reason}}}" for reason in REASONS_OF_ITEMS}
    assert {reason: worker.metrics()[name] for reason, name in held.items()} == REASONS_OF_ITEMS
    assert worker.metrics()["rice_events_total{outcome=quarantined}"] == 101_000
    assert worker.stop() == 0, worker.log
    assert_exact(deployment, sender.truth)


REASONS_OF_ITEMS = {"not_an_object": 200, "further_items": 100_800}


def truncated(draw: random.Random, event: Event) -> bytes:
    whole = encoded(event)
    return whole[: draw.randrange(1, len(whole) - 1)]


def wrong_value(draw: random.Random, event: Event) -> bytes:
    """One field with a value that it cannot have."""
    field = draw.choice(["tenant_id", "event_id", "ended_at", "input_tokens", "output_tokens"])
    values: list[object] = ["", -1, 2**63, 10**400, 1e300, 0.5, True, [], {}, "\x00", "\ud800", "x" * 70_000]
    if field == "ended_at":
        values += ["2026-02-30T00:00:00Z", "2026-11-22", "1999-12-31T23:59:59Z", 1_795_348_800]
    return json.dumps({**event, field: draw.choice(values)}).encode()


def deep(draw: random.Random, event: Event) -> bytes:
    depth = draw.choice([500, 5_000, 100_000])
    return encoded(event)[:-1] + b', "more": ' + b'{"a":' * depth + b"[" * depth


def duplicate_envelope(draw: random.Random, event: Event) -> bytes:
    """CloudEvents around nothing, around themselves, around text."""
    envelope: dict[str, object] = {"specversion": draw.choice(["1.0", "0.3", 1, None]), "id": "1", "source": "/"}
    inner: object = draw.choice([None, 7, "text", [], envelope.copy(), {**event, "event_id": 5}])
    data = draw.choice(["data", "data_base64"])
    return json.dumps({**envelope, "type": "t", data: inner}).encode()


def noise(draw: random.Random, _event: Event) -> bytes:
    return draw.randbytes(draw.randrange(0, 200))


def broken_text(draw: random.Random, event: Event) -> bytes:
    """Bytes that are no UTF-8 within a string."""
    return encoded(event).replace(
        b'"event_id": "', b'"event_id": "' + draw.choice([b"\xff", b"\xc3\x28", b"\xed\xa0\x80"])
    )


KINDS: list[Callable[[random.Random, Event], bytes]] = [
    noise,
    noise,
    noise,
    truncated,
    wrong_value,
    duplicate_envelope,
    broken_text,
]


def test_any_bytes_are_quarantined_and_cost_no_neighbour(deploy: Deploy, either_database: Databases) -> None:
    """1,500 records (in a drill 5,000) that are no events, from pure noise to nearly right, in chunks with as many valid
    ones: each lies in quarantine, each neighbour is counted, and the worker lives."""
    deployment = deploy(either_database)
    draw, count = drawn("garbage"), size(1500, 5000)
    sender, make = Sender(deployment), EventMaker(8)
    refused: set[tuple[str, int, int]] = set()
    for number in range(count):
        kind = deep if number % 100 == 0 else draw.choice(KINDS)
        sender.send(
            kind(draw, make(event_id=f"never-{number}")),
            on_place=lambda topic, p, offset: refused.add((topic, p, offset)),
        )
        sender.send_event(make())
    sender.confirm()
    worker = deployment.start_worker(quarantine_ratio_max=1)
    worker.until(lambda: stored_records(deployment) == 2 * count, "all records to be stored or in quarantine")
    assert worker.get("/healthz")[0] == 200
    assert worker.stop() == 0, worker.log
    assert "Traceback" not in worker.log
    places = {row[:3] for row in deployment.rows('SELECT topic, "partition", "offset" FROM quarantine')}
    assert places == refused
    # A record of several lines is several items, each with its own row; which they are was not kept count of here.
    rows = deployment.rows('SELECT topic, "partition", "offset", item FROM quarantine')
    assert len(rows) == len(set(rows))
    sender.truth.refused.update(RefusedItem(*row) for row in rows)
    assert_exact(deployment, sender.truth)


def stored_records(deployment: Deployment) -> int:
    """Kafka records that are in the store in one way or the other."""
    return int(deployment.value("SELECT COALESCE(SUM(last_offset - first_offset + 1), 0) FROM kafka_progress"))
