"""Any bytes, in any format: never an exception, and every item ends up as exactly one of event, refusal, ignored.

Seeded mutation of the documented payloads, protobuf included: bytes flipped, cut and spliced, values of the JSON
replaced by odd ones. `RICE_FUZZ_PAYLOADS` sets how many payloads each format gets (a drill runs 1,000,000), from a first
seed that is drawn from the run's own; a failure prints its seed and the payload.
"""

import json
import os
import random
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.events.canonical import WireEvent
from rice_stream.events.columns import to_columns
from rice_stream.events.formats.dispatch import read
from rice_stream.events.formats.reading.options import FORMATS, FormatOptions
from rice_stream.events.records import Ignored, RawRecord, Refused
from tests.support.cases import drawn
from tests.support.format_payloads import PAYLOADS, record

PAYLOADS_EACH = int(os.environ.get("RICE_FUZZ_PAYLOADS", "4000"))
FIRST = drawn("payloads").randrange(1_000_000 - PAYLOADS_EACH) if PAYLOADS_EACH < 1_000_000 else 0
BLOCK = 500
OPTIONS = [
    FormatOptions(),
    FormatOptions(estimate_missing_usage=True),
    *(FormatOptions(topic_formats={"requests": name}) for name in FORMATS if name != "auto"),
]
ODD: list[Any] = [
    None,
    True,
    False,
    -1,
    0,
    1.5,
    2**31,
    10**30,
    1e308,
    "",
    "-",
    "x",
    "12",
    "\u0000",
    "é" * 300,
    [],
    {},
    [[]],
    [None],
]
WORDS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"\x00",
    b"\n",
    b"null",
    b"-1",
    b"1e999",
    b"\xff",
    b'\\ud800"',
    b"\\u0000",
]


def kinds_of(found: list[Any]) -> set[type]:
    return {type(item) for item in found}


def check(source: RawRecord, options: FormatOptions) -> list[WireEvent]:
    """The partition, for one record; its events."""
    found = [outcome.result for outcome in read(source, options)]
    assert found
    assert kinds_of(found) <= {WireEvent, Refused, Ignored}
    refused = [item for item in found if isinstance(item, Refused)]
    assert len({item.item for item in refused}) == len(refused)
    assert all(item.record is source and item.reason for item in refused)
    return [item for item in found if isinstance(item, WireEvent)]


# --- seeded mutation -------------------------------------------------------------------------------------------------


def mutated_bytes(value: bytes, draw: random.Random) -> bytes:
    out = bytearray(value)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(out) + 1)
        match draw.randrange(5):
            case 0 if out:
                out[min(at, len(out) - 1)] = draw.randrange(256)
            case 1:
                del out[at : at + draw.randint(1, 40)]
            case 2:
                out[at:at] = draw.choice(WORDS)
            case 3:
                out[at:at] = out[draw.randrange(len(out) + 1) :][:60]
            case _:
                del out[at:]
    return bytes(out)


def mutated_json(value: Any, draw: random.Random) -> Any:
    """The same with one or two of its values replaced, taken out or put under another name."""
    out = msgspec.json.decode(msgspec.json.encode(value))
    for _ in range(draw.randint(1, 2)):
        containers = [out] if isinstance(out, dict | list) and out else []
        depth = draw.randint(0, 6)
        here = out
        while depth and isinstance(here, dict | list) and here:
            containers.append(here)
            here = draw.choice(list(here.values()) if isinstance(here, dict) else here)
            depth -= 1
        if containers:
            change(containers[-1], draw)
    return out


def change(container: Any, draw: random.Random) -> None:
    keys = list(container) if isinstance(container, dict) else list(range(len(container)))
    key = draw.choice(keys)
    match draw.randrange(4):
        case 0:
            del container[key]
        case 1 if isinstance(container, dict):
            container[draw.choice(keys)] = container[key]
        case 2:
            container[key] = [container[key], container[key]]
        case _:
            container[key] = deepcopy(draw.choice(ODD))  # never the list of ODD itself, which is changed next


def parts_of(name: str) -> list[tuple[bytes, Any]]:
    """(bytes, the same as JSON or None) for each payload of a format."""
    wanted = {"litellm": ("litellm", "spend"), "provider_usage": ("provider",)}.get(name, (name,))
    found: list[tuple[bytes, Any]] = []
    for file, value in PAYLOADS.items():
        if file.split("_")[0].split(".")[0] in wanted:
            if not file.endswith("json"):
                found.append((value, None))
                continue
            parsed = [json.loads(line) for line in (value.splitlines() if file.endswith(".ndjson") else [value])]
            # In one line each: most broken ones are then one item, as on Kafka, and not one per line.
            found += [(msgspec.json.encode(item), item) for item in parsed]
    return found


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("auto", "canonical")])
def test_mutated_payloads_of_every_format_are_taken_apart_without_loss(name: str) -> None:
    parts = parts_of(name)
    events: list[WireEvent] = []
    counted = 0
    for seed in range(FIRST, FIRST + PAYLOADS_EACH):
        draw = random.Random(f"{name}:{seed}")
        value, parsed = draw.choice(parts)
        if parsed is not None and draw.random() < 0.5:
            value = msgspec.json.encode(mutated_json(parsed, draw))
        else:
            value = mutated_bytes(value, draw)
        options = OPTIONS[0] if draw.random() < 0.7 else draw.choice(OPTIONS)
        try:
            events += check(record(value, stamped=draw.random() < 0.5), options)
        except Exception:
            print(f"seed {seed} of {name}: {value!r}")
            raise
        if len(events) >= BLOCK:
            counted += judged(events)
    assert counted + judged(events) > PAYLOADS_EACH // 50


def judged(events: list[WireEvent]) -> int:
    """How many events; all of them hold as columns, which is what the pipeline makes of them."""
    assert to_columns(events).valid.all()
    number = len(events)
    events.clear()
    return number


# --- any bytes -------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300), st.sampled_from(OPTIONS))
def test_any_bytes_give_a_partition_and_no_exception(value: bytes, options: FormatOptions) -> None:
    check(record(value), options)


OTLP_WORDS = ["resourceSpans", "scopeSpans", "spans", "attributes", "key", "value"]
GATEWAY_WORDS = [
    "batch",
    "body",
    "type",
    "id",
    "ai",
    "proxy",
    "meta",
    "schemaType",
    "input",
    "output",
    "timestamp",
    "data",
]
LITELLM_WORDS = [
    "litellm_call_id",
    "call_type",
    "startTime",
    "endTime",
    "metadata",
    "usage_object",
    "model",
    "response",
]
USAGE_WORDS = ["usage", "prompt_tokens", "completion_tokens", "tokens", "usageMetadata", "promptTokenCount"]
OTHER_WORDS = ["specversion", "event_id", "gen_ai.usage.input_tokens"]
NAMES = st.sampled_from([*OTLP_WORDS, *GATEWAY_WORDS, *LITELLM_WORDS, *USAGE_WORDS, *OTHER_WORDS])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=12
)


@given(st.dictionaries(NAMES, VALUES, max_size=6), st.sampled_from(OPTIONS))
def test_any_object_made_of_the_formats_own_words_gives_a_partition(
    payload: dict[str, Any], options: FormatOptions
) -> None:
    check(record(json.dumps(payload).encode(), stamped=True), options)
