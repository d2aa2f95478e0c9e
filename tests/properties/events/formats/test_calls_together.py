"""LiteLLM's payloads that are read together come out as they do one by one, with whatever lies between them."""

import os
import random
from collections.abc import Iterator

import msgspec
import pytest

from rice_stream.events.decoding import decode_batch, decode_blocks
from rice_stream.events.formats.plain import calls_together, records
from rice_stream.events.formats.reading.attribution import AttributionRule
from rice_stream.events.formats.reading.options import DEFAULT_OPTIONS, FormatOptions
from rice_stream.events.records import RawRecord
from rice_stream.events.together.names import NumberedColumn
from tests.properties.events.formats.test_fuzz import mutated_bytes, mutated_json, parts_of
from tests.properties.events.formats.test_otlp_blocks import plain
from tests.properties.events.formats.test_plain import with_odd_leaf
from tests.support.cases import drawn
from tests.support.format_payloads import PAYLOADS

BLOCKS = int(os.environ.get("RICE_FUZZ_PAYLOADS", "800")) // 10
FIRST = drawn("calls together").randrange(1_000_000)
USUAL = PAYLOADS["litellm_success.json"].replace(b"\n", b" ")
CANONICAL = (
    b'{"event_id":"e-1","ended_at":"2026-11-22T12:00:00Z","tenant_id":"acme","request_model":"gpt-4o",'
    b'"input_tokens":7,"output_tokens":5}'
)
OTHERS = [
    *(b"", b"{}", b"not JSON", CANONICAL, CANONICAL[:-1] + b',"pue":1.2}', CANONICAL[:-1] + b',"energy_joules":5.5}'),
    *(PAYLOADS[name] for name in ("kong_log.json", "spend_logs.json", "otlp_semconv_141.pb", "openmeter.json")),
    *(
        USUAL + b"\n" + USUAL,
        USUAL + b"\r" + USUAL,
        USUAL + b"\r\n",
        PAYLOADS["litellm_success.json"],
        b"[" + USUAL + b"]",
        USUAL.replace(b"team-a", b"t\\u0000"),
        USUAL.replace(b"call-", b"\\u0000-"),
    ),
]


@pytest.fixture(autouse=True)
def however_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few payloads are read as many are."""
    monkeypatch.setattr(calls_together, "EVENTS_MIN", 1)


def call(draw: random.Random, number: int) -> bytes:
    """A payload with an id and a user of its own, and sometimes changed."""
    parsed = msgspec.json.decode(USUAL)
    parsed |= {"id": f"chatcmpl-{number}", "litellm_call_id": f"call-{number}", "prompt_tokens": draw.randrange(5000)}
    parsed["total_tokens"] = parsed["prompt_tokens"] + parsed["completion_tokens"]
    parsed["metadata"]["user_api_key_user_id"] = f"u-{draw.randrange(5)}"
    if draw.random() < 0.1:
        parsed = mutated_json(parsed, draw)
    if draw.random() < 0.1:
        parsed = with_odd_leaf(parsed, draw)
    value = msgspec.json.encode(parsed)
    return mutated_bytes(value, draw) if draw.random() < 0.02 else value


def blocks() -> Iterator[tuple[int, list[RawRecord]]]:
    for seed in range(FIRST, FIRST + BLOCKS):
        draw = random.Random(f"calls together {seed}")
        values = [call(draw, number) for number in range(draw.choice([3, 30, 90]))]
        for _ in range(draw.choice([0, 1, 8])):
            values.insert(
                draw.randrange(1, len(values) + 1), draw.choice([*OTHERS, *(part for part, _ in parts_of("litellm"))])
            )
        yield (
            seed,
            [RawRecord("requests", 0, offset, value, (), 1_795_374_000_000_000) for offset, value in enumerate(values)],
        )


def test_blocks_are_the_same_however_their_payloads_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns, events, positions, refused and ignored items, in the same order."""
    together = 0
    for seed, found in blocks():
        columns, decoded = decode_batch(found)
        together += any(isinstance(block.columns.user_id, NumberedColumn) for block in decode_blocks(found))
        with monkeypatch.context() as patched:
            patched.setattr(records, "read_calls", lambda _: None)
            expected, alone = decode_batch(found)
        assert plain(columns) == plain(expected), f"seed {seed}"
        assert list(decoded.events) == list(alone.events), f"seed {seed}"
        assert [record.offset for record in decoded.records] == [record.offset for record in alone.records], (
            f"seed {seed}"
        )
        assert (decoded.items, decoded.ignored) == (alone.items, alone.ignored), f"seed {seed}"
        assert decoded.refused == alone.refused, f"seed {seed}"
    assert together > BLOCKS // 2


def test_names_are_learnt_anew_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_together, "NAMES_MAX", 2)
    reader = calls_together.CallsReader()
    draw = random.Random(1)
    first, second = (reader.read([call(draw, number) for number in range(40)]) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.names is not second.names


@pytest.mark.parametrize(
    "options",
    [
        FormatOptions(attributes={"tenant_id": ("metadata.user_api_key_alias",)}),
        FormatOptions(rules=(AttributionRule("request_tags", pattern="cost-centre:(.*)", sets="project_id"),)),
        FormatOptions(estimate_missing_usage=True),
        FormatOptions(topic_formats={"requests": "canonical"}),
    ],
)
def test_what_is_set_to_be_read_otherwise_is(options: FormatOptions) -> None:
    found = [RawRecord("requests", 0, offset, USUAL) for offset in range(5)]
    assert isinstance(decode_batch(found, DEFAULT_OPTIONS)[0].user_id, NumberedColumn | list)
    assert records.PlainReader(options, "requests").read_calls(found) is None


def test_records_that_say_they_are_something_else_are_odd() -> None:
    """A CloudEvent around a payload, and a payload said to be no JSON, are read one by one."""
    usual = [RawRecord("requests", 0, offset, USUAL) for offset in range(5)]
    for header in (("ce_id", b"1"), ("content-type", b"text/plain")):
        found = [*usual, RawRecord("requests", 0, 5, USUAL, (header,))]
        read = records.PlainReader(DEFAULT_OPTIONS, "requests").read_calls(found)
        assert read is not None
        assert read.odd.tolist() == [5]
