"""What HTTP refuses is kept for looking up: bounded, once, redacted, and whatever becomes of it the sender is answered."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from rice_stream.api.access.callers import local
from rice_stream.api.ingestion.receiving import Received
from rice_stream.api.ingestion.refusals import RefusalLog
from rice_stream.errors import ServiceUnavailableError
from rice_stream.events.door_refusals import read_refusals
from rice_stream.events.records import RawRecord, Refused
from rice_stream.events.refused_items import count_items
from tests.support.fakes import event
from tests.unit.api.conftest import Door

MARKER = "planted prompt text"


def kept(door: Door) -> list[Refused]:
    """What the worker will put into quarantine."""
    records = [RawRecord("llm-requests", 0, n, value) for n, value in enumerate(door.publisher.refusals)]
    return [refused for record in records for refused in read_refusals(record) or []]


def test_a_body_that_is_refused_can_be_looked_up_without_its_text(door: Callable[..., Door]) -> None:
    made = door()
    answer = made.post("/v1/events", [event(), event(event_id="e-2", input_tokens=-1, messages=MARKER)])
    assert answer.status == 422
    assert made.publisher.events == []
    [refused] = kept(made)
    assert refused.detail.startswith("POST /v1/events by loopback, item 1: input_tokens")
    assert json.loads(refused.payload)["event_id"] == "e-2"
    assert MARKER.encode() not in made.publisher.refusals[0]


def test_spans_that_are_refused_can_be_looked_up_beside_those_that_are_taken(door: Callable[..., Door]) -> None:
    made = door()
    body: dict[str, Any] = {"resourceSpans": [{"scopeSpans": [{"spans": [[], {}, []] + [[]] * 300}]}]}
    assert made.post("/v1/traces", body).status == 200
    found = kept(made)
    assert (len(found), count_items(found)) == (101, 302)
    assert {refused.source_format for refused in found} == {"otlp"}


def test_a_body_that_is_sent_again_is_kept_once(door: Callable[..., Door]) -> None:
    """A sender that never gives up must not fill the database."""
    made = door()
    for _ in range(5):
        assert made.post("/v1/events", [7]).status == 422
    assert made.post("/v1/events", [8]).status == 422
    assert len(kept(made)) == 2


def test_a_broker_that_does_not_confirm_changes_no_answer_and_it_is_kept_the_next_time(
    door: Callable[..., Door],
) -> None:
    made = door()
    made.publisher.fails = ServiceUnavailableError("Kafka at kafka-internal-1 did not confirm")
    assert made.post("/v1/events", [7]).status == 422
    assert "rice_http_refusals_unkept_total 1.0" in made.get("/metrics").body.decode()
    made.publisher.fails = None
    assert made.post("/v1/events", [7]).status == 422
    assert len(kept(made)) == 1


def test_one_sender_fills_no_database(door: Callable[..., Door]) -> None:
    """A thousand at once; what is more is counted alone."""
    unkept: list[int] = []
    log, sender = RefusalLog(unkept.append), local(1.0)

    async def many() -> int:
        records = 0
        for number in range(30):
            record = RawRecord("http", 0, number, b"")
            refused = [Refused(record, item, "not_json", "", "<no value>") for item in range(100)]
            records += log.record_of(Received(refused=refused), "/v1/events", sender) is not None
        return records

    assert asyncio.run(many()) == 10
    assert sum(unkept) == 2_000


def test_nobody_can_have_something_kept_by_imitating_what_is_kept(door: Callable[..., Door]) -> None:
    """A body that looks like such a record is a body that is no event."""
    made = door()
    made.post("/v1/events", [7])
    answer = made.post("/v1/events", made.publisher.refusals[0])
    assert answer.status == 422
    assert answer.document["refused"][0]["reason"] == "missing_field"
