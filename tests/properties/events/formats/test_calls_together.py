"""LiteLLM's payloads that are read together come out as they do one by one, with whatever lies between them."""

import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.events.decoding import decode_batch, decode_blocks
from rice_stream.events.formats.plain import calls_together, records
from rice_stream.events.formats.plain.fields import NotPlainError
from rice_stream.events.formats.plain.litellm import call_of, served_by, user_of
from rice_stream.events.formats.plain.litellm_payload import decode
from rice_stream.events.formats.plain.litellm_rows import usual_row
from rice_stream.events.formats.reading.attribution import AttributionRule
from rice_stream.events.formats.reading.options import DEFAULT_OPTIONS, FormatOptions
from rice_stream.events.records import RawRecord
from rice_stream.events.together.names import NumberedColumn
from rice_stream.quantities import UNKNOWN
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


class Numbered(dict[tuple[object, ...], int]):
    """Names in the order in which they were asked for; those that are none have a negative number."""

    def __init__(self, are_some: Callable[[tuple[Any, ...]], object]) -> None:
        super().__init__()
        self.names: list[tuple[Any, ...]] = []
        self._are_some = are_some

    def __missing__(self, names: tuple[Any, ...]) -> int:
        if self._are_some(names) is None:
            return -1
        self.names.append(names)
        return self.setdefault(names, len(self.names) - 1)


def usually(*others: object) -> st.SearchStrategy[Any]:
    """The first, and now and then another one."""
    return st.sampled_from([others[0]] * 20 * len(others) + list(others))


NAME = usually("gpt-4o", None, "", "-", " x ", "responses", "a" * 256, "é", 7)
COUNT = st.one_of(usually(10, 10, 10, 0, None, -1, True, 2.0, 1.5, 2**31 - 1, 2**31, 10**30, "20"), st.integers(0, 20))
SECONDS = st.one_of(
    usually(1_795_374_000.5, None, 1_795_374_000, "2026-11-22T19:04:00Z", True, 0.0, -1.0, 946684799.9999999, 1e300),
    st.floats(1_795_374_000, 1_795_374_001, exclude_min=True),
)
MAYBE = st.none()
USAGE = st.fixed_dictionaries(
    {"prompt_tokens": usually(20, None, 0, 2**31), "completion_tokens": usually(10, None)},
    optional={
        "cache_read_input_tokens": COUNT,
        "cache_creation_input_tokens": COUNT,
        "prompt_cache_hit_tokens": COUNT,
        "reasoning_tokens": COUNT,
        "inference_geo": usually("eu", None, "us"),
        "prompt_tokens_details": MAYBE
        | st.fixed_dictionaries({}, optional={"cached_tokens": COUNT, "cache_write_tokens": COUNT}),
        "completion_tokens_details": MAYBE | st.fixed_dictionaries({}, optional={"reasoning_tokens": COUNT}),
    },
)
USAGES = st.one_of(USAGE, st.just({"prompt_tokens": 20}), MAYBE, st.just({}))
METADATA = st.fixed_dictionaries(
    {"usage_object": USAGES},
    optional={
        "user_api_key_team_id": usually("team-a", None, "", "t\u0000", "é"),
        "user_api_key_user_id": NAME,
        "user_api_key_hash": NAME,
        "additional_usage_values": MAYBE
        | st.fixed_dictionaries({"cache_read_input_tokens": COUNT, "cache_creation_input_tokens": COUNT}),
    },
)
CALLS = st.fixed_dictionaries(
    {
        "id": usually("chatcmpl-1", None, "", "resp_1", "x_cache_hit1", "x_cache_hit", "x_resp_"),
        "litellm_call_id": usually(
            "call-1", None, "", "-", " ", " call-1", "call-1\n", "c\u0000", "é", "a" * 256, "a" * 257
        ),
        "startTime": SECONDS,
        "endTime": st.one_of(*[st.floats(1_795_374_001, 1_795_374_003)] * 9, SECONDS),
        "prompt_tokens": usually(60, 60, 0, None, -1, True, 2.0, 2**31, 10**30, "60") | st.integers(50, 60),
        "completion_tokens": usually(30, 30, 0, None, -1, True, 2.0, 2**31 - 1, 10**30) | st.integers(20, 40),
        "model": NAME,
        "response": usually({"model": "gpt-4o"}, None, "text", "{}", {"model": None})
        | st.fixed_dictionaries({"usage": USAGES}),
        "metadata": st.one_of(*[METADATA] * 9, MAYBE),
    },
    optional={
        "total_tokens": COUNT,
        "call_type": usually("acompletion", None, "aembedding", "aretrieve_batch", "pass_through_endpoint", "x"),
        "status": usually("success", "failure", None),
        "cache_hit": usually(None, True, False, "True", "x"),
        "custom_llm_provider": NAME,
        "model_group": NAME,
        "hidden_params": MAYBE | st.fixed_dictionaries({"usage_object": USAGES}, optional={"api_base": NAME}),
        "cost_breakdown": MAYBE | st.fixed_dictionaries({"data_residency": usually("eu", None, "us")}),
    },
)


@given(CALLS, usually(True, False))
def test_a_usual_row_is_what_the_parts_of_its_payload_say(said: dict[str, Any], agreeing: bool) -> None:
    counts = [said["prompt_tokens"], said["completion_tokens"]]
    if agreeing and all(type(each) is int for each in counts):
        said["total_tokens"] = sum(counts)
    try:
        payload = decode(msgspec.json.encode(said))
    except msgspec.DecodeError:
        return
    users = Numbered(lambda names: user_of(*names))
    kinds = Numbered(lambda names: served_by(*names))
    try:
        row = usual_row(payload, users, kinds)
    except NotPlainError:
        with pytest.raises(NotPlainError):
            call_of(payload)
        return
    if row is None:
        return
    call = call_of(payload)
    who, kind, event_id, started_us, ended_us, *counts = row
    assert (event_id.decode(), round(started_us), round(ended_us)) == (call.event_id, call.started_us, call.ended_us)
    assert [user_of(*users.names[who]), served_by(*kinds.names[kind])] == [call.user, call.served]
    assert [None if each == UNKNOWN else each for each in counts] + ["reported"] == list(call.usage)
    assert "\x00" not in call.event_id


def test_payloads_as_they_usually_are_are_usual_rows() -> None:
    number = Numbered(lambda _: 0)
    for value in (USUAL, PAYLOADS["litellm_anthropic.ndjson"].splitlines()[0]):
        assert usual_row(decode(value), number, number) is not None
