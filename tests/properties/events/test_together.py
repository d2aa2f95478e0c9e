"""Events that are read together come out as they do one by one: whatever is written and mixed, whatever was read before."""

from collections.abc import Sequence
from dataclasses import fields
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.events import decoding
from rice_stream.events.canonical import FIELD_NAMES
from rice_stream.events.columns import EventColumns
from rice_stream.events.decoding import DecodedBlock, decode_blocks
from rice_stream.events.kept_values import KeptRecord, KeptValues
from rice_stream.events.records import Decoded, RawRecord, Refused, SourcePartition
from rice_stream.events.together import blocks
from rice_stream.events.together.reader import EVENTS_MIN
from tests.support.cases import drawn, size
from tests.support.format_payloads import PAYLOADS

BLOCKS = size(150, 3_000)
RARELY = ["null"] * 300
"""What an event states of itself is read event by event; where many do, their block is."""
SPELLINGS = {
    "schema_version": ['"1"'],
    "event_id": ['"%d-7f3a"', '"%08x"', '"%d"'],
    "started_at": ['"2026-11-22T11:59:58.500Z"', '"2026-11-22T11:59:59.001Z"', "null", '"2026-11-22T11:00:00Z"'],
    "ended_at": [
        '"2026-11-22T12:00:00.000Z"',
        '"2026-11-23T00:00:00.999Z"',
        '"2026-11-22T12:00:00Z"',
        '"2026-11-22T12:00:01.123456+00:00"',
    ],
    "tenant_id": ['"acme"', '"umbrella"', '"ä-tenant"'],
    "team_id": ['"search"', "null", '""'],
    "project_id": ['"p-1"', '"p-2"', "null"],
    "user_id": [f'"user-{number}"' for number in range(40)],
    "api_key_id": ['"k-1"', "null"],
    "source": ['"/gateway/eu"', '"/gateway/us"'],
    "provider": ['"openai"', '"anthropic"'],
    "request_model": ['"gpt-4o"', '"meta-llama/Llama-3.1-70B"'],
    "response_model": ['"gpt-4o-2024-08-06"', "null"],
    "inference_region": ['"azure:swedencentral"', "null"],
    "input_tokens": ["0", "7", "1234", "99999999", "null"],
    "cache_read_input_tokens": ["0", "null"],
    "cache_write_input_tokens": ["0", "null"],
    "output_tokens": ["0", "5", "120000", "null"],
    "reasoning_output_tokens": ["0", "null"],
    "status": ['"ok"', '"error"'],
    "gateway_cache_hit": ["false", "true", "null"],
    "usage_quality": ['"reported"', '"derived"', '"estimated"', '"missing"'],
    "pue": [*RARELY, "1.2"],
    "rci_gco2e_per_kwh": [*RARELY, "50"],
    "hardware": [*RARELY, '"H100"'],
    "energy_joules": [*RARELY, "5.5", "7"],
    "energy_boundary": [*RARELY, '"server"'],
}
STATED = ("pue", "rci_gco2e_per_kwh", "hardware", "energy_joules", "energy_boundary")
"""Few producers write them, and few of their events say them."""


class Producer(NamedTuple):
    """Who writes events in a way of its own."""

    names: list[str]
    comma: str
    colon: str
    end: str


NEEDED = ("event_id", "ended_at", "tenant_id", "request_model", "input_tokens", "output_tokens")
ODD = [
    *('""', '"\\u0000"', '"a\\u0041b"', '"quo\\"te"', '"back\\\\slash"', '"x, y"', f'"{"x" * 256}"', f'"{"x" * 257}"'),
    *(f'"{"ä" * 256}"', f'"{"y" * 1100}"', '"tab\there"', '"no end', "no start", '"\x7f"', '"\x00"', '"a""b"', '"}"'),
    *("007", "00", "-0", "-1", "1.0", "1e2", "5 ", " 5", "2147483647", "2147483648", "9" * 30, "+5", "0x1", "١"),
    *("true", "false", "nul", "nulL", "NULL", "{}", "[]", '{"a":1}', "[1,2]", "", '"7"', "NaN", "1,2", "5}"),
    *('"2026-11-31T12:00:00Z"', '"2026-11-22t12:00:00z"', '"2026-11-22T12:00:00.1234Z"', '"2026-11-22T24:00:00Z"'),
    *('"2026-11-22T13:00:00+01:00"', '"2026-1１-22T12:00:00.000Z"', '"0000-00-00T00:00:00Z"', '2026-11-22T12:00:00Z"'),
]
"""What is put in the place of any field's value."""
FURTHER = [
    '"devices":2',
    '"hardware":"H100"',
    '"pue":null',
    '"energy_joules":5.5',
    '"note":"hi"',
    '"tenant_id":"evil"',
    '"a"',
]


USUAL = Producer([name for name in SPELLINGS if name not in STATED], ",", ":", "")


UNUSUAL = [
    '"a\\u0041b"',
    '"quo\\"te"',
    '"x, y"',
    f'"{"ä" * 256}"',
    '"😀"',
    '"a}b"',
    f'"{"z" * 200}"',
    '"back\\\\slash"',
]
"""What names may be as well."""
NAMES = ("event_id", "tenant_id", "team_id", "user_id", "source", "provider", "request_model", "inference_region")


def written(random: Random, producer: Producer, number: int, unusual: float, odd: float) -> bytes:
    """An event; some of them are unusual, and some are odd in one way or another."""
    members = []
    for name in producer.names:
        value = random.choice(SPELLINGS[name])
        if name in NAMES and random.random() < unusual:
            value = random.choice(UNUSUAL)
        members.append((name, value % number if "%" in value else value))
    if random.random() < odd:
        place = random.randrange(len(members))
        members[place] = members[place][0], random.choice(ODD)
    if random.random() < odd / 4:
        members.append(random.choice(members))
    if random.random() < odd + unusual:
        random.shuffle(members)
    texts = [f'"{name}"{producer.colon}{value}' for name, value in members]
    if random.random() < odd / 2:
        texts.insert(random.randrange(len(texts) + 1), random.choice(FURTHER))
    record = ("{" + producer.comma.join(texts) + "}" + producer.end).encode()
    if random.random() < odd / 4:
        record = record[: random.randrange(len(record))]
    if random.random() < odd / 4:
        at = random.randrange(len(record) + 1)
        record = record[:at] + random.randbytes(1) + record[at + random.choice([0, 1]) :]
    return record


def block_of(random: Random) -> list[RawRecord]:
    """Records of one to three producers, each with an order of fields of its own."""
    producers = []
    for _ in range(random.choice([1, 1, 2, 3])):
        names = [name for name in SPELLINGS if name in NEEDED or random.random() < (0.1 if name in STATED else 0.7)]
        if random.random() < 0.5:
            random.shuffle(names)
        comma, colon = random.choice([(",", ":"), (", ", ": ")])
        producers.append(Producer(names, comma, colon, random.choice(["", "", "\n"])))
    unusual, odd = random.choice([(0.0, 0.0), (0.005, 0.0), (0.0, 0.002), (0.02, 0.02)])
    return [
        RawRecord("t", 0, offset, written(random, random.choice(producers), offset, unusual, odd))
        for offset in range(random.choice([EVENTS_MIN - 1, EVENTS_MIN, 4 * EVENTS_MIN, 4 * EVENTS_MIN]))
    ]


def as_one(parts: Sequence[DecodedBlock]) -> tuple[dict[str, list[object]], Decoded]:
    """Columns as lists, whatever stands for them, and what was decoded."""
    columns: dict[str, list[object]] = {field.name: [] for field in fields(EventColumns)}
    decoded = Decoded([], [], [], [], [])
    for block in parts:
        for name in columns:
            column = getattr(block.columns, name)
            if isinstance(column, np.ndarray):
                columns[name] += column.tolist()
            elif name in ("attributed", "served", "energy", "charged"):
                width = len(column)
                columns[name] += (
                    [tuple(filter(_is_said, enumerate(row))) for row in zip(*column, strict=True)]
                    if width
                    else [()] * len(block.columns)
                )
            else:
                columns[name] += list(column)
        decoded.extend(block.decoded)
    return columns, decoded


def test_what_a_record_is_or_holds_leaves_its_neighbours_alone() -> None:
    """Refused, empty, of another format or in an envelope, with no event or several: read alone, in its place."""
    values = [written(Random(number), USUAL, number, 0, 0) for number in range(4 * EVENTS_MIN)]
    odd: list[tuple[bytes | None, tuple[tuple[str, bytes], ...]]] = [
        (None, ()),
        (b"", ()),
        (b"broken", ()),
        (PAYLOADS["kong_log.json"], ()),
        (PAYLOADS["otlp_semconv_141.pb"], ()),
        (b"[" + b",".join(values[:3]) + b"]", ()),
        (values[0] + b"\n" + values[1], ()),
        (values[2], (("ce_specversion", b"1.0"), ("ce_id", b"7"))),
        (values[3][:-1] + b',"pue":1.2,"energy_joules":5.5,"energy_boundary":"server"}', ()),
        (values[4].replace(b"2026-", b"1826-"), ()),
        (values[5].replace(b'"acme"', b'"\\u0000"').replace(b'"umbrella"', b'"\\u0000"'), ()),
    ]
    blocks._idle.clear()
    for seed in range(8):
        random = Random(seed)
        records = [RawRecord("t", 0, offset, value) for offset, value in enumerate(values)]
        for row in random.sample(range(1, len(records)), random.choice([1, 5, EVENTS_MIN])):
            value, headers = random.choice(odd)
            records[row] = RawRecord("t", 0, row, value, headers)
        assert assert_same(records), "so they were read one by one"


def test_a_block_ends_before_the_odd_record_that_it_has_no_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record may hold thousands of events, and as many such records lie between others as there are."""
    monkeypatch.setattr(decoding, "BLOCK_ITEMS", 5)
    blocks._idle.clear()
    values = [written(Random(number), USUAL, number, 0, 0) for number in range(2 * EVENTS_MIN)]
    records = [RawRecord("t", 0, offset, value) for offset, value in enumerate(values)]
    for row in (10, 20, 40):
        records[row] = RawRecord("t", 0, row, b"[" + b",".join(values[:3]) + b"]")
    found = list(decode_blocks(records))
    assert [block.records for block in found[:1]] == [40]
    assert as_one(found) == as_one(one_by_one(records))


def _is_said(place: tuple[int, object]) -> bool:
    return place[1] is not None


def one_by_one(records: Sequence[RawRecord]) -> list[DecodedBlock]:
    """The oracle: as they are read where none are read together."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "read_together", lambda _: None)
        return list(decode_blocks(records))


def _why(refused: Refused) -> tuple[object, ...]:
    return refused.record.offset, refused.record.value, refused.item, refused.reason, refused.detail, refused.payload


def assert_same(records: Sequence[RawRecord]) -> bool:
    """Whether any were read together; they say the same in any case, also where the values alone are kept."""
    together = list(decode_blocks(records))
    expected = as_one(one_by_one(records))
    assert as_one(together) == expected
    kept = KeptValues.of([KeptRecord(each.offset, 0, 0, each.key, each.value, each.headers) for each in records])
    if kept is not None:
        columns, decoded = as_one(list(decode_blocks(kept, partition=SourcePartition("t", 0))))
        assert columns == expected[0]
        assert [each.offset for each in decoded.records] == [each.offset for each in expected[1].records]
        assert decoded._replace(records=[], refused=[]) == expected[1]._replace(records=[], refused=[])
        assert list(map(_why, decoded.refused)) == list(map(_why, expected[1].refused))
    rows = np.arange(0, len(together[0].columns), 3)
    some = as_one([together[0]._replace(columns=together[0].columns.select(rows))])[0]
    assert some["event_id"] == as_one(together[:1])[0]["event_id"][::3]
    assert some["attributed"] == as_one(together[:1])[0]["attributed"][::3]
    return not isinstance(together[0].decoded.events, list)


def test_any_mix_of_producers_and_oddities_reads_the_same() -> None:
    """Readers remember what they have met, so blocks are read one after the other."""
    random = drawn("read together")
    read = 0
    for number in range(BLOCKS):
        if number % 5 == 0:
            blocks._idle.clear()  # a new reader: after many odd blocks one reads nothing for a while
        read += assert_same(block_of(random))
    assert read > BLOCKS / 10, "so hardly anything was tried"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FIELD_NAMES), st.text(max_size=12) | st.sampled_from(ODD), st.integers(0, EVENTS_MIN))
def test_any_value_of_any_field_reads_the_same(field: str, value: str, row: int) -> None:
    """One event among others that are as usual."""
    values = [
        b'{"schema_version":"1","event_id":"e-%d","ended_at":"2026-11-22T12:00:00.000Z","tenant_id":"acme","user_id":"u",'
        b'"request_model":"m","input_tokens":12,"output_tokens":3,"status":"ok"}' % number
        for number in range(EVENTS_MIN + 1)
    ]
    odd = f'{{"event_id":"odd","{field}":{value},"ended_at":"2026-11-22T12:00:00.000Z","tenant_id":"acme",'.encode(
        errors="surrogatepass"
    )
    values[row] = odd + b'"request_model":"m","input_tokens":1,"output_tokens":3}'
    assert_same([RawRecord("t", 0, offset, value) for offset, value in enumerate(values)])
