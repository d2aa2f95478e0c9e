"""A worker from Kafka to the store and back: every accepted shape, stopping under load, going on without a repeat."""

import random
import time

from rice_stream.store.watching import watch_user
from tests.support.databases import Databases
from tests.support.worker_harness import Deploy, Deployment
from tests.support.worker_truth import Event, EventMaker, Sender, assert_exact, encoded, ended_at_us, watched_users

STOP_S = 5.0
"""What SIGTERM under load may take (a stop needs well under a second on a quiet machine)."""


def cloud_event(event: Event, **changes: object) -> dict[str, object]:
    """The event as the data of a structured CloudEvent."""
    return {"specversion": "1.0", "id": "ce-1", "source": "/gw", "type": "llm.request", "data": event, **changes}


def send_every_shape(sender: Sender, make: EventMaker) -> None:
    """Each way in which a record may hold events, and each way in which it may not."""
    sender.send_event(make())
    for shape in ("array", "NDJSON"):
        several = [make() for _ in range(3)]
        value = encoded(several) if shape == "array" else b"\n".join(map(encoded, several)) + b"\n"
        sender.send(value, events=several)
    event = make()
    sender.send(encoded(cloud_event(event)), events=[event])
    sender.send(encoded([cloud_event(event), cloud_event(other := make())]), events=[event, other])
    framed = make()
    sender.send(b"\0\0\0\0\7" + encoded(framed), events=[framed])
    # A binary CloudEvent: what the body leaves out stands in the headers.
    binary = make(source="/gw/binary")
    body = {name: value for name, value in binary.items() if name not in {"event_id", "source", "ended_at"}}
    headers = {"id": binary["event_id"], "source": "/gw/binary", "time": binary["ended_at"]}
    attributes = {"specversion": "1.0", "type": "llm.request", **headers}
    sender.send(
        encoded(body), events=[binary], headers={f"ce_{name}": text.encode() for name, text in attributes.items()}
    )
    good = [make(), make()]
    sender.send(encoded([good[0], {"event_id": "x"}, good[1], 7]), events=good, refused_items=[1, 3])
    sender.send(encoded(good[0]) + b"\nnot json\n" + encoded(good[1]), events=good, refused_items=[1])
    for refused in (None, b"", b"nonsense", b"7", b"[]", b"\xff\xfe", encoded(make(output_tokens=-1))):
        sender.send(refused, refused_items=[0])


def test_every_shape_reaches_records_totals_and_quarantine(deploy: Deploy, either_database: Databases) -> None:
    """Two topics; objects, arrays, NDJSON, CloudEvents both ways; all of it once, and offsets at every end."""
    deployment = deploy(either_database, topics=2)
    sender, make = Sender(deployment), EventMaker(11)
    watch_user(deployment.engine, "tenant-1", "u-1")
    send_every_shape(sender, make)
    for number in range(3000):
        sender.send_event(make(), topic=deployment.topics[number % 2])
    sender.confirm()
    deployment.finish()
    watch_user(deployment.engine, "tenant-2", "u-3")
    assert_exact(deployment, sender.truth)
    assert watched_users(deployment) == {("tenant-1", "u-1"), ("tenant-2", "u-3")}
    reasons = dict(deployment.rows("SELECT reason, COUNT(*) FROM quarantine GROUP BY reason"))
    assert reasons == {"empty_value": 2, "not_json": 3, "not_an_object": 3, "missing_field": 1, "invalid_field": 1}


def test_an_event_sent_again_is_one_event_and_with_other_content_a_conflict(
    deploy: Deploy, either_database: Databases
) -> None:
    """Repeats come back after hours, in other partitions and shapes; what contradicts is kept beside, never counted."""
    deployment = deploy(either_database)
    sender, make = Sender(deployment), EventMaker(12)
    events = [make() for _ in range(500)]
    for event in events:
        sender.send_event(event, partition=0)
    sender.confirm()
    deployment.finish()
    for event in events:
        sender.send_event(event, partition=1)
    sender.send(encoded(events), events=events, partition=2)
    changed = {**events[0], "output_tokens": events[0]["output_tokens"] + 1}
    sender.send(encoded(changed), partition=3)
    sender.confirm()
    deployment.finish()
    assert deployment.rows("SELECT event_id FROM conflict") == [(events[0]["event_id"],)]
    assert deployment.value("SELECT SUM(duplicates) FROM kafka_progress") == 1000
    with deployment.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM conflict")
    assert_exact(deployment, sender.truth)


def test_sigterm_under_load_acks_what_is_stored_and_the_next_worker_repeats_nothing(
    deploy: Deploy, either_database: Databases
) -> None:
    """Exit code 0 within seconds, and then stored == acked: the second worker meets not one duplicate."""
    deployment = deploy(either_database)
    sender, make = Sender(deployment), EventMaker(13)
    send_ahead(sender, make, 8000)
    worker = deployment.start_worker(batch_events_max=50)
    worker.until(worker.has_committed, "the first batch")
    send_ahead(sender, make, 200)
    asked_s = time.monotonic()
    worker.request_stop()
    assert worker.wait() == 0, worker.log
    assert time.monotonic() - asked_s < STOP_S
    assert_stored_is_acked(deployment)
    sender.confirm()
    before = deployment.recorded()
    assert 0 < before < len(sender.truth.events), "the stop was to come in the middle"
    deployment.finish()
    assert deployment.value("SELECT SUM(duplicates) FROM kafka_progress") == 0
    assert_exact(deployment, sender.truth)


def send_ahead(sender: Sender, make: EventMaker, count: int) -> None:
    """Events, with a poison record now and then."""
    for number in range(count):
        sender.send_event(make())
        if number % 100 == 0:
            sender.send(random.Random(number).randbytes(40).replace(b"\n", b" "), refused_items=[0])
    sender.confirm()


def assert_stored_is_acked(deployment: Deployment) -> None:
    """For every partition the committed offset is the one after the last that the store knows."""
    rows = deployment.rows('SELECT topic, "partition", last_offset FROM kafka_progress')
    committed = deployment.committed_offsets()
    assert rows
    assert {(topic, partition): last + 1 for topic, partition, last in rows} == {
        place: offset for place, offset in committed.items() if offset is not None
    }


def test_records_hours_out_of_order_fall_into_the_buckets_of_their_own_time(deployment: Deployment) -> None:
    """The time of the event decides, not the time of its arrival: months old and an hour ahead of the clock alike."""
    sender = Sender(deployment)
    now_s = time.time()
    for back_s in (0, 3600, 86_400, 45 * 86_400, -3600):
        make = EventMaker(14, prefix=f"back{back_s}", now_s=now_s - back_s)
        for _ in range(200):
            sender.send_event(make())
    sender.confirm()
    deployment.finish()
    assert_exact(deployment, sender.truth)
    span_us = [ended_at_us(event) for event in sender.truth.events.values()]
    assert max(span_us) - min(span_us) > 45 * 86_400 * 1_000_000
