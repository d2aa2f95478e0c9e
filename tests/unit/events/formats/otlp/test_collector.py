"""What a real OpenTelemetry Collector (0.155.0, its kafkaexporter) wrote with deploy/otel-collector.example.yaml.

Two calls of a program of ours under the OpenTelemetry SDK, each a `chat` span within an `invoke_agent` span within a span
of HTTP, sent through the Collector onto Kafka in both encodings that its exporter has.
"""

from collections.abc import Sequence

import pytest

from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats.dispatch import read
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.records import Ignored, RawRecord
from tests.support.places import DATA

COLLECTOR = DATA / "collector"


def decoded(name: str, options: FormatOptions) -> Sequence[object]:
    """The items of one record as the Collector wrote it: no key, no headers."""
    record = RawRecord("otlp_spans", 0, 0, (COLLECTOR / name).read_bytes(), ())
    return [outcome.result for outcome in read(record, options)]


@pytest.mark.parametrize("name", ["traces.pb", "traces.json"])
@pytest.mark.parametrize(
    "options", [FormatOptions(), FormatOptions(topic_formats={"otlp_spans": "otlp"})], ids=["sniffed", "named"]
)
def test_each_call_is_one_event_and_its_agent_is_none(name: str, options: FormatOptions) -> None:
    """With the tenant of the resource, the counts of the call, and nothing of the span around it."""
    found = decoded(name, options)
    events = [item for item in found if isinstance(item, WireEvent)]
    ignored = [item for item in found if isinstance(item, Ignored)]
    assert [item.reason for item in ignored] == ["not_an_inference"] * 2
    assert [(e.tenant_id, e.request_model, e.response_model) for e in events] == [
        ("acme", "gpt-4o", "gpt-4o-2024-08-06")
    ] * 2
    assert [(e.input_tokens, e.cache_read_input_tokens, e.output_tokens) for e in events] == [(2006, 1920, 300)] * 2


def test_both_encodings_are_the_same_events() -> None:
    """Ids, times and all: who sends both ways counts once."""
    by_encoding = [
        [item for item in decoded(name, FormatOptions()) if isinstance(item, WireEvent)]
        for name in ("traces.pb", "traces.json")
    ]
    assert by_encoding[0] == by_encoding[1]
    assert len({event.event_id for event in by_encoding[0]}) == 2
