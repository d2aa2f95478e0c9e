"""What a body holds costs no more than its bytes say: items are bounded, and refused ones end the reading."""

import gzip
import json
from collections.abc import Callable

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from rice_stream.api.ingestion import receiving
from rice_stream.api.ingestion.publishing import QUEUE_EVENTS_MAX
from rice_stream.api.ingestion.receiving import ITEMS_MAX
from rice_stream.events.formats import dispatch
from tests.support.fakes import event
from tests.unit.api.conftest import Door

ONE_MORE = ITEMS_MAX + 1


def otlp(spans: int) -> dict[str, object]:
    """A message of so many spans that say nothing."""
    return {"resourceSpans": [{"scopeSpans": [{"spans": [{}] * spans}]}]}


def batch_of_litellm(requests: int) -> dict[str, object]:
    """LiteLLM's record of one finished batch: an event for each of its requests."""
    return {
        "id": "batch-1",
        "call_type": "aretrieve_batch",
        "status": "success",
        "prompt_tokens": requests,
        "completion_tokens": requests,
        "total_tokens": 2 * requests,
        "startTime": 1_763_838_000.0,
        "endTime": 1_763_838_001.0,
        "metadata": {},
        "response": {},
        "hidden_params": {"batch_models": ["gpt-4o"] * requests},
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/events", [0] * ONE_MORE),
        ("/v1/events", b"{}\n" * ONE_MORE),
        ("/v1/events", otlp(ONE_MORE)),
        ("/v1/events", [otlp(ITEMS_MAX // 2), otlp(ITEMS_MAX // 2), otlp(1)]),
        ("/v1/events", {"batch": [{"type": "trace-create", "body": {}}] * ONE_MORE}),
        ("/v1/events", batch_of_litellm(ONE_MORE)),
        ("/v1/traces", otlp(ONE_MORE)),
    ],
)
def test_more_items_than_a_body_may_have_are_too_many(door: Callable[..., Door], path: str, body: object) -> None:
    """413, wherever in the body they are; nothing of it is taken."""
    made = door()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = made.post(path, gzip.compress(content), content_encoding="gzip")
    assert answer.status == 413, answer.body
    assert made.publisher.events == []


def test_more_spans_than_a_body_may_have_are_too_many_in_protobuf(door: Callable[..., Door]) -> None:
    """413 for them as well."""
    message = TracesData()
    spans = message.resource_spans.add().scope_spans.add().spans
    for _ in range(ONE_MORE):
        spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    answer = door().post("/v1/traces", message.SerializeToString(), content_type="application/x-protobuf")
    assert answer.status == 413, answer.body


def test_as_many_items_as_a_body_may_have_are_taken(door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch) -> None:
    """They all fit into the queue to the broker: there is no body that is told to come back for ever."""
    assert ITEMS_MAX <= QUEUE_EVENTS_MAX
    monkeypatch.setattr(receiving, "ITEMS_MAX", 200)
    made = door()
    answer = made.post("/v1/events", [event(event_id=f"e-{number}") for number in range(200)])
    assert (answer.status, answer.document) == (202, {"accepted": 200, "ignored": 0})
    assert len(made.publisher.events) == 200


def test_items_after_the_refused_ones_that_are_listed_are_not_read(
    door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is refused as a whole costs as much as the answer lists, not as much as the body holds."""
    read: list[int] = []

    def counted(*arguments: object) -> object:
        for outcome in dispatch.outcomes(*arguments):  # type: ignore[arg-type]
            read.append(1)
            yield outcome

    monkeypatch.setattr(receiving, "outcomes", counted)
    answer = door().post("/v1/events", [event(), *[0] * (ITEMS_MAX - 1)])
    assert answer.status == 422
    assert len(answer.document["refused"]) == 20
    assert answer.document["refused_total"] is None
    assert len(read) == 22


def test_refused_items_that_are_all_listed_are_counted(door: Callable[..., Door]) -> None:
    """Twenty of them, with the number of each within the body."""
    answer = door().post("/v1/events", [event(), *[0] * 20])
    assert answer.status == 422
    assert answer.document["refused_total"] == 20
    assert [item["item"] for item in answer.document["refused"]] == list(range(1, 21))


def test_refused_spans_are_counted_to_the_last(door: Callable[..., Door]) -> None:
    """OTLP's answer says how many were refused; the others are taken."""
    answer = door().post("/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": [{}] + [[]] * 50}]}]})
    assert (answer.status, answer.document["partialSuccess"]["rejectedSpans"]) == (200, "50")
