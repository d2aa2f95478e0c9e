"""What a door has refused goes through Kafka into quarantine: with its reason, redacted, bounded, and never as an event."""

import ast
import json
from typing import Any

import pytest

from rice_stream.events.decoding import decode_batch
from rice_stream.events.door_refusals import REASONS, RECORD_BYTES_MAX, read_refusals, refusals_record
from rice_stream.events.formats.dispatch import outcomes, read
from rice_stream.events.formats.reading.options import DEFAULT_OPTIONS, FormatOptions
from rice_stream.events.records import BATCH_NOT_UNPACKED, DOOR_REFUSALS_START, RawRecord, Refused
from rice_stream.events.refused_items import count_items, tally_records
from tests.support.fakes import event
from tests.support.places import ROOT
from tests.unit.docs.test_operations import _reasons_in as reasons_in
from tests.unit.docs.test_operations import quarantine_reasons


def refused_items(body: object, number: int = 1) -> list[Refused]:
    """What a door refuses of a body."""
    record = RawRecord("http", 0, 5, json.dumps(body).encode())
    found = [one.result for one in outcomes(record, DEFAULT_OPTIONS) if isinstance(one.result, Refused)]
    return found * number


def written(row: dict[str, Any]) -> bytes:
    """A record of one such row, beginning as a door writes it."""
    rest = {name: value for name, value in row.items() if name not in ("specversion", "type")}
    return DOOR_REFUSALS_START + b"," + json.dumps(rest).encode()[1:] + b"]"


def on_kafka(value: bytes, offset: int = 3) -> RawRecord:
    return RawRecord("llm-requests", 1, offset, value)


@pytest.mark.parametrize("format_", ["auto", "canonical", "otlp", "litellm"])
def test_the_worker_refuses_it_with_the_reason_of_the_door(format_: str) -> None:
    """Whatever format its topic is set to, and beside events of other records."""
    items = refused_items([event(), event(tenant_id=...), 7])
    record = on_kafka(refusals_record(items, "POST /v1/events by token 1 (gw)"))
    columns, decoded = decode_batch([record], FormatOptions(default_format=format_))
    assert len(columns) == 0
    assert [(one.item, one.reason) for one in decoded.refused] == [(0, "missing_field"), (1, "not_an_object")]
    assert decoded.refused[0].detail.startswith("POST /v1/events by token 1 (gw), item 1: tenant_id")
    assert json.loads(decoded.refused[0].payload)["event_id"] == "e-1"
    assert [one.result for one in read(record)] == decoded.refused


def test_it_says_nothing_about_the_topic() -> None:
    """A sender of nonsense over HTTP must not trip the guard against wrong deployments."""
    record = on_kafka(refusals_record(refused_items(7), "door"))
    good = RawRecord("llm-requests", 1, 4, json.dumps(event()).encode())
    tombstone = RawRecord("llm-requests", 1, 5, None)
    assert tally_records(decode_batch([record, good, tombstone])[1]) == (1, 1)


def test_the_record_is_bounded_and_all_items_are_counted() -> None:
    """A hundred one by one, the rest as one; fewer where they are large."""
    small = on_kafka(refusals_record(refused_items(7, 5_000), "door"))
    found = decode_batch([small])[1].refused
    assert (len(found), count_items(found), found[-1].reason) == (101, 5_000, "further_items")
    large = {**event(tenant_id=None), **{f"f{number}": 1 for number in range(90)}}
    large |= dict.fromkeys(("event_id", "team_id", "project_id", "user_id", "request_model", "source"), "x" * 250)
    value = refusals_record(refused_items(large, 5_000), "door")
    assert len(value) <= RECORD_BYTES_MAX + 2_000
    assert count_items(decode_batch([on_kafka(value)])[1].refused) == 5_000


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "made_up"},
        {"reason": 7},
        {"payload": "a prompt's text"},
        {"payload": "{broken"},
        {"source_format": "x" * 99},
        {"items": 0},
        {"items": 2**40},
        {"detail": None},
    ],
)
def test_whoever_imitates_it_gets_nothing_in_that_a_door_would_not(change: dict[str, object]) -> None:
    """Reasons become labels of metrics and payloads are stored: what is not written as ours is refused like anything else."""
    rows = json.loads(refusals_record(refused_items(7), "door"))
    rows[0]["data"] |= change
    assert read_refusals(on_kafka(written(json.loads(refusals_record(refused_items(7), "door"))[0])))
    record = on_kafka(written(rows[0]))
    assert read_refusals(record) is None
    [outcome] = read(record)
    assert isinstance(outcome.result, Refused)
    assert "text" not in outcome.result.payload


def test_a_payload_is_redacted_again() -> None:
    rows = json.loads(refusals_record(refused_items(event(tenant_id=None)), "door"))
    rows[0]["data"]["payload"] = json.dumps({"event_id": "e", "messages": "a prompt", "data": {"prompt": "text"}})
    [refused] = read_refusals(on_kafka(written(rows[0]))) or []
    assert json.loads(refused.payload) == {"event_id": "e", "messages": "<removed>", "data": {"prompt": "<removed>"}}


def test_a_door_believes_no_sender_that_it_comes_from_another_door() -> None:
    """Read by a door it is a body like any other, and no event."""
    record = RawRecord("http", 0, 5, refusals_record(refused_items(7), "door"))
    [outcome] = outcomes(record, DEFAULT_OPTIONS)
    assert isinstance(outcome.result, Refused)
    assert not outcome.result.detail.startswith("door")


def test_every_reason_of_a_door_is_known() -> None:
    """What is added to the formats is added there too."""
    events = sorted((ROOT / "rice_stream" / "events").rglob("*.py"))
    found = set().union(*(reasons_in(ast.parse(path.read_text("utf-8"))) for path in events))
    assert found - {BATCH_NOT_UNPACKED} <= REASONS, "doors read no batches of Kafka"
    assert quarantine_reasons() >= REASONS
