"""Records with spans in protobuf that are read together give what each gives alone, and blocks with them what blocks without give.

The reader of one record is the oracle; it has the full decoders for its own. Spans are made different in what they say, in how they
are written, and broken; many spans agree with others, as in a stream.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError, EncodeError
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from rice_stream.events.columns import EventColumns
from rice_stream.events.decoding import DecodedBlock, decode_blocks
from rice_stream.events.formats.plain import otlp_blocks, otlp_layouts, otlp_proto, own_values, wire_text
from rice_stream.events.formats.plain.otlp_blocks import read_block
from rice_stream.events.formats.plain.records import PROBLEMS
from rice_stream.events.records import RawRecord
from tests.properties.events.formats.test_fuzz import mutated_bytes
from tests.support.cases import drawn
from tests.support.format_payloads import PAYLOADS

BLOCKS = int(os.environ.get("RICE_FUZZ_PAYLOADS", "800")) // 8
FIRST = drawn("blocks of spans").randrange(1_000_000)
TRACES = {
    name: value for name, value in PAYLOADS.items() if name.endswith(".pb") and name not in ("otlp_log_event.pb",)
}
SKIPPED = frozenset({"openinference.instrumentation.openai"})
VALUES: list[Any] = [
    *("", "x", "gpt-4o", "chat", "é" * 80, "a\u0000b", "x" * 300, "text_completion", "embeddings", "global", "eu"),
    *(0, 1, 7, 127, 128, 300, 2**21, 2**31 - 1, 2**31, 2**40, -1, 2**63 - 1, 1.5, 0.0, True, False, None),
    *('{"prompt_tokens": 7, "inference_geo": "eu"}', "{'prompt_tokens_details': {'cached_tokens': 3}}", "{", "[]"),
    *(
        "{'prompt_tokens': 9, 'prompt_tokens_details': {'cached_tokens': 0}}",
        '{"prompt_tokens": 12, "inference_geo": "\\u0000"}',
    ),
    *('{"api_base": "https://bedrock-runtime.eu-west-3.amazonaws.com"}', b"bytes", ["a", "b"]),
]
TIMES = [0, 1, 10**9, 946_684_800 * 10**9, 1_795_374_000_123_456_789, 2**63, 2**64 - 1]


@pytest.fixture(autouse=True)
def however_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """One span is read as many are."""
    monkeypatch.setattr(otlp_blocks, "SPANS_MIN", 1)
    monkeypatch.setattr(otlp_layouts, "SPANS_OF_A_LAYOUT_MIN", 1)
    monkeypatch.setattr(own_values, "ALIKE_MIN", 1)


def spans_of(message: TracesData) -> list[Span]:
    return [span for entry in message.resource_spans for scoped in entry.scope_spans for span in scoped.spans]


def set_value(pair: Any, value: Any) -> None:
    pair.value.Clear()
    if isinstance(value, bool):
        pair.value.bool_value = value
    elif isinstance(value, int):
        pair.value.int_value = value
    elif isinstance(value, float):
        pair.value.double_value = value
    elif isinstance(value, str):
        pair.value.string_value = value
    elif isinstance(value, bytes):
        pair.value.bytes_value = value
    elif isinstance(value, list):
        for inner in value:
            pair.value.array_value.values.add().string_value = inner


def change_attribute(span: Span, draw: random.Random) -> None:
    pairs = span.attributes
    if not pairs:
        return
    at = draw.randrange(len(pairs))
    match draw.randrange(5):
        case 0:
            del pairs[at]
        case 1:
            pairs.add().CopyFrom(pairs[at])
        case 2:
            pairs[at].key = draw.choice([*otlp_blocks_names(), pairs[at].key + "x", "", "k" * 130])
        case _:
            set_value(pairs[at], draw.choice(VALUES))


def otlp_blocks_names() -> list[str]:
    from rice_stream.events.formats.otlp import attributes

    return sorted(attributes.WANTED)


def change_span(span: Span, draw: random.Random) -> None:
    match draw.randrange(9):
        case 0:
            span.start_time_unix_nano = draw.choice(TIMES)
        case 1:
            span.end_time_unix_nano = draw.choice(TIMES)
        case 2:
            span.status.code = draw.choice([0, 1, 2, 2, 200])  # type: ignore[assignment]
            span.status.message = draw.choice(["", "it failed", "x" * 200])
        case 3:
            span.trace_id = draw.choice([b"", bytes(16), draw.randbytes(16), draw.randbytes(8)])
        case 4:
            span.parent_span_id = draw.choice([b"", draw.randbytes(8), span.span_id, b"abc"])
        case 5:
            span.name = draw.choice(["llm_request", "call_llm", "chat", "é", ""])
        case 6:
            span.flags, span.trace_state = 257, draw.choice(["", "a=b"])
            span.events.add().name = "gen_ai.choice"
        case _:
            change_attribute(span, draw)


def made(draw: random.Random) -> bytes:
    """A record: a payload with more spans like its own, some of them changed, and sometimes broken or put together anew."""
    message = TracesData.FromString(TRACES[draw.choice(sorted(TRACES))])
    for entry in message.resource_spans:
        for scoped in entry.scope_spans:
            for _ in range(draw.choice([0, 0, 1, 3])):
                if scoped.spans:
                    scoped.spans.add().CopyFrom(draw.choice(list(scoped.spans)))
            if draw.random() < 0.1:
                scoped.scope.name = draw.choice(["", "vllm", *SKIPPED, "opentelemetry.instrumentation.bedrock"])
    for number, span in enumerate(spans_of(message)):
        if draw.random() < 0.8:
            span.span_id = (number + 1 + draw.randrange(2**40)).to_bytes(8, "big")
        for _ in range(draw.choice([0, 0, 0, 1, 1, 2])):
            change_span(span, draw)
    if draw.random() < 0.05:
        message.MergeFrom(message)
    try:
        value = message.SerializeToString()
    except EncodeError:
        return b""
    return mutated_bytes(value, draw) if draw.random() < 0.15 else value


def blocks() -> Iterator[tuple[int, list[bytes]]]:
    for seed in range(FIRST, FIRST + BLOCKS):
        draw = random.Random(f"block of spans {seed}")
        pool = [made(draw) for _ in range(draw.choice([1, 3, 12]))]
        yield seed, [draw.choice(pool) for _ in range(draw.choice([1, 5, 30]))]


def alone(value: bytes) -> Any:
    """What the reader of one record gives; None: nothing, it is for the full decoder."""
    try:
        return otlp_proto.read(value, SKIPPED)
    except (*PROBLEMS, *otlp_proto.PROBLEMS):
        return None


def test_records_read_together_give_what_each_gives_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is read of a record is exactly what its own reader gives, and most of what that reads is read."""
    together = by_itself = 0
    for seed, values in blocks():
        monkeypatch.setattr(otlp_blocks, "RECORDS_TOGETHER_MIN", seed % 2 * 1000)
        monkeypatch.setattr(wire_text, "JOINED_BYTES_MAX", seed % 3 * 1_000_000)
        block = read_block([value or None for value in values], SKIPPED, 1 << 30)
        if block is None:
            continue
        for number, value in enumerate(values):
            items, expected = block.items(number), alone(value)
            by_itself += expected is not None
            if items is not None:
                together += 1
                assert items == expected, f"seed {seed}, record {number}: {value!r}"
    assert together > 0.6 * by_itself > 0


@pytest.mark.parametrize("name", TRACES)
def test_payloads_as_they_usually_are_are_read_together(name: str) -> None:
    """All that the reader of one record reads of the documented payloads."""
    block = read_block([TRACES[name]] * 3, frozenset(), 1 << 30)
    expected = otlp_proto.read(TRACES[name], frozenset())
    assert block is not None
    assert [block.items(number) for number in range(3)] == [expected] * 3


def test_blocks_are_the_same_however_their_records_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns, events, positions, refused and ignored items, in the same order: of spans alone, and with other formats between."""
    for seed, values in blocks():
        draw = random.Random(seed)
        if draw.random() < 0.3:
            values = [*values, PAYLOADS["kong_log.json"], b"", *values]
        records = [RawRecord("requests", 0, offset, value, (), 1) for offset, value in enumerate(values)]
        together = list(decode_blocks(records))
        with monkeypatch.context() as patched:
            patched.setattr(otlp_blocks, "SPANS_MIN", 1 << 30)
            each = list(decode_blocks(records))
        try:
            assert same(together) == same(each)
        except AssertionError:
            print(f"seed {seed}")
            raise


def same(found: list[DecodedBlock]) -> Any:
    """All of some blocks, as they can be compared: one after the other, wherever they were cut."""
    return [
        (
            plain(block.columns),
            list(block.decoded.events),
            [record.offset for record in block.decoded.records],
            block.decoded.items,
            [(item.record.offset, item.item, item.reason, item.detail, item.payload) for item in block.decoded.refused],
            block.decoded.ignored,
            block.records,
        )
        for block in found
    ]


def plain(columns: EventColumns) -> Any:
    values = {each.name: getattr(columns, each.name) for each in fields(columns)}
    return {
        name: value.tolist()
        if isinstance(value, np.ndarray)
        else [v if v is None or isinstance(v, str) else list(v) for v in value]
        for name, value in values.items()
    }


def test_a_block_ends_with_the_record_that_fills_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many records as hold so many spans, and the rest in the next block."""
    monkeypatch.setattr("rice_stream.events.decoding.BLOCK_ITEMS", 5)
    value = TRACES["otlp_semconv_141.pb"]
    spans = len(spans_of(TracesData.FromString(value)))
    records = [RawRecord("requests", 0, offset, value) for offset in range(12)]
    counts = [block.records for block in decode_blocks(records)]
    assert sum(counts) == 12
    assert set(counts[:-1]) == {-(-5 // spans)}


def test_what_is_no_message_is_left_to_others() -> None:
    with pytest.raises(DecodeError):
        TracesData.FromString(b"\n\x05abc")
    block = read_block([b"\n\x05abc", TRACES["otlp_semconv_141.pb"]], frozenset(), 1 << 30)
    assert block is not None
    assert block.whole.tolist() == [False, True]
