"""Usual records read into typed structs give what the full decoders give: the same events, refused items and ignored ones.

The full decoders are the oracle: for every payload, for payloads with values replaced, taken out, doubled and put under
other names, and for broken bytes. `RICE_FUZZ_PAYLOADS` sets how many of these each format gets.
"""

import os
import random
from typing import Any

import msgspec
import pytest
from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from rice_stream.events.decoding import decode_batch
from rice_stream.events.formats.dispatch import read
from rice_stream.events.formats.reading.attribution import AttributionRule
from rice_stream.events.formats.reading.options import DEFAULT_OPTIONS, FormatOptions
from rice_stream.events.formats.reading.versions import AttributionVersion, dated, settings_text
from rice_stream.events.records import Ignored, RawRecord, Refused
from tests.properties.events.formats.test_fuzz import ODD, mutated_bytes, mutated_json, parts_of
from tests.support.cases import drawn
from tests.support.format_payloads import PAYLOADS, format_of, record
from tests.support.plain_records import agree, is_plain

PLAIN = ("bedrock", "envoy", "kong", "langfuse", "litellm", "otlp")
PAYLOADS_EACH = int(os.environ.get("RICE_FUZZ_PAYLOADS", "800"))
FIRST = drawn("plain payloads").randrange(1_000_000)
FOR_THE_FULL_DECODERS = {"spend_logs.json", "otlp_log_event.json", "otlp_log_event.pb"}
"""Payloads of these formats that are no usual ones: rows of a table, exported, and log records."""


ODD_TEXTS = [
    *(" ", " x ", "a\u0000b", "é" * 257, "global", "cb_cache_hit1", "responses", "aembedding", "1795374000"),
    *("2026-11-22T19:04:00+01:00", "2026-02-30T00:00:00Z", "1999-12-31T23:59:59.999Z", "2099-12-31T23:59:59.999999Z"),
    *("2026-11-22T19:04:00.123456Z", "2026-11-22t19:04:00z", "2026-11-22T19:04:00.12Z", "2026-11-22T19:04:00.١٢٣Z"),
]
ODD_NUMBERS = [0, 2**31 - 1, 2**31, -5, 10**25, 946684799, 4102444800, 1795374000123]
ODD_SECONDS = [0.0, 1e11, 946684799.9999999, 4102444799.9999999, 1795374000.1234567, -0.0]


@pytest.mark.parametrize("name", PAYLOADS)
def test_every_payload_gives_what_the_full_decoders_give(name: str) -> None:
    agree(record(PAYLOADS[name]))
    agree(record(PAYLOADS[name], stamped=True))
    agree(record(PAYLOADS[name]), FormatOptions(topic_formats={"requests": format_of(name)}))
    agree(record(PAYLOADS[name]), FormatOptions(attributes={"tenant_id": ("user-agent", "service.name", "tags")}))
    agree(record(PAYLOADS[name]), FormatOptions(estimate_missing_usage=True))


@pytest.mark.parametrize("name", [name for name in PAYLOADS if format_of(name) in PLAIN])
def test_payloads_as_they_usually_are_never_need_a_full_decoder(name: str) -> None:
    assert is_plain(record(PAYLOADS[name])) is (name not in FOR_THE_FULL_DECODERS)


@pytest.mark.parametrize("name", PLAIN)
def test_mutated_payloads_give_what_the_full_decoders_give(name: str) -> None:
    parts = parts_of(name)
    plain = 0
    for seed in range(FIRST, FIRST + PAYLOADS_EACH):
        draw = random.Random(f"{name}:{seed}")
        value, parsed = draw.choice(parts)
        if parsed is not None and draw.random() < 0.8:
            changed = mutated_json(parsed, draw)
            if draw.random() < 0.3:
                changed = with_odd_leaf(changed, draw)
            value = msgspec.json.encode(changed)
        else:
            value = mutated_bytes(value, draw)
        named = FormatOptions(topic_formats={"requests": name}) if draw.random() < 0.3 else DEFAULT_OPTIONS
        plain += is_plain(record(value), named)
        if has_too_large_a_number(value) or (value[:1] == b"\n" and not is_whole(value)):
            decode_batch([record(value)], named)  # what is broken where nobody reads does not matter
            continue
        try:
            agree(record(value, stamped=draw.random() < 0.5), named)
        except AssertionError:
            print(f"seed {seed} of {name}: {value!r}")
            raise
    assert plain > PAYLOADS_EACH // 25


def has_too_large_a_number(value: bytes) -> bool:
    """Whether a number stands in it that no float holds: whoever reads all of it refuses it, whoever skips it does not see it."""
    try:
        msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return "out of range" in str(error)
    return False


CONFIGURED = FormatOptions(
    attributes={"tenant_id": ("metadata.user_api_key_alias", "user-agent", "accountId"), "team_id": ("tags",)},
    rules=(
        AttributionRule("request_tags", pattern="cost-centre:(.*)", sets="project_id"),
        AttributionRule("requestMetadata.costCentre", table={"cc-17": "seventeen"}, sets="project_id"),
        AttributionRule("x-tenant-id", sets="user_id"),
    ),
)
LATER = dated(
    FormatOptions(),
    [
        AttributionVersion(0, settings_text(FormatOptions())),
        AttributionVersion(1_795_374_020_000_000, settings_text(CONFIGURED)),
    ],
)


@pytest.mark.parametrize("name", ["bedrock", "envoy", "litellm"])
@pytest.mark.parametrize("options", [CONFIGURED, LATER], ids=["configured", "configured later"])
def test_mutated_payloads_are_attributed_as_configured(name: str, options: FormatOptions) -> None:
    """By rules and configured attributes, of the time when an item ended."""
    parts = parts_of(name)
    plain = 0
    for seed in range(FIRST, FIRST + PAYLOADS_EACH // 4):
        draw = random.Random(f"configured {name}:{seed}")
        _, parsed = draw.choice(parts)
        changed = mutated_json(parsed, draw)
        value = msgspec.json.encode(with_odd_leaf(changed, draw) if draw.random() < 0.5 else changed)
        plain += is_plain(record(value), options)
        agree(record(value), options)
    assert plain > PAYLOADS_EACH // 50


def is_whole(value: bytes) -> bool:
    """Whether every part of the message can be parsed, also those that are not read."""
    try:
        TracesData.FromString(value)
    except DecodeError:
        return False
    return True


def with_odd_leaf(value: Any, draw: random.Random) -> Any:
    """Some value that is no object and no array replaced by one of its own kind that is odd."""
    spots: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        here = waiting.pop()
        pairs = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        for key, inner in pairs:
            if isinstance(inner, dict | list):
                waiting.append(inner)
            else:
                spots.append((here, key))
    if spots:
        container, key = draw.choice(spots)
        kind = type(container[key])
        by_kind: dict[type, list[Any]] = {str: ODD_TEXTS, int: ODD_NUMBERS, float: ODD_SECONDS}
        alike = by_kind.get(kind, ODD)
        container[key] = draw.choice(alike)
    return value


def test_names_that_repeat_count_as_the_last_one_says() -> None:
    value = PAYLOADS["litellm_success.json"].strip()[:-1]
    agree(record(value + b', "prompt_tokens": 7, "total_tokens": 307}'))
    agree(record(value + b', "prompt_tokens": "7"}'))
    agree(record(value + b', "metadata": {"user_api_key_team_id": "team-b"}}'))
    agree(record(value + b', "metadata": {"user_api_key_team_id": "team-b"}, "metadata": null}'))


def test_names_that_are_no_text_are_found_wherever_they_are() -> None:
    value = PAYLOADS["litellm_success.json"].strip()[:-1]
    agree(record(value + b', "\xff": 1}'))
    agree(record(value + b', "\\ud800": 1}'))
    agree(record(value + b', "messages": "\xff"}'))
    agree(record(value + b', "messages": "\\ud800"}'))


def test_a_block_of_several_formats_keeps_the_order_of_its_records() -> None:
    values = [
        PAYLOADS[name] for name in ("kong_log.json", "litellm_success.json", "bedrock_log.ndjson", "spend_logs.json")
    ] * 3
    records = [RawRecord("requests", 0, offset, value) for offset, value in enumerate(values)]
    _, decoded = decode_batch(records)
    events = [
        (outcome.result, source.offset)
        for source in records
        for outcome in read(source)
        if not isinstance(outcome.result, Ignored | Refused)
    ]
    assert list(zip(decoded.events, [source.offset for source in decoded.records], strict=True)) == events


def test_prompts_that_are_cut_within_a_character_do_not_cost_a_span_in_protobuf() -> None:
    """What nobody reads may be broken; a name that is read may not."""
    value = PAYLOADS["otlp_semconv_141.pb"]
    assert not decode_batch([record(value.replace(b"PLANTED-TEXT", b"PLANTED-TEX\xff"))])[1].refused
    assert decode_batch([record(value.replace(b"gpt-4o-2024", b"gpt-4o-\xff\xff\xff\xff"))])[1].refused
