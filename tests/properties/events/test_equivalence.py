"""The hot path and the pydantic model are one: the same JSON is accepted with the same values, or refused."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NoReturn

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rice_stream.basis import Basis
from rice_stream.events.canonical import FIELD_NAMES, CanonicalEvent
from rice_stream.events.columns import EventColumns
from rice_stream.events.decoding import decode_batch
from rice_stream.events.records import RawRecord
from rice_stream.events.times import parse_times
from rice_stream.instants import parse_time
from rice_stream.quantities import UNKNOWN

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
day = datetime.fromisoformat
"""Midnight without a time zone, as Hypothesis wants its bounds."""
Pairs = list[tuple[str, str]]
"""An object as (key, JSON text of the value), so that keys may repeat and numbers keep their spelling."""

# --- JSON texts ----------------------------------------------------------------------------------------------------

names = st.one_of(
    st.text(st.characters(exclude_characters="\x00"), min_size=1, max_size=12),
    st.sampled_from(["acme", "x" * 256, "ä" * 256, "😀" * 256, "a b", '"quoted"', "back\\slash", "\\u0000"]),
).map(json.dumps)
bad_names = st.sampled_from(
    ['""', '"a\\u0000b"', '"' + "x" * 257 + '"', '"' + "😀" * 257 + '"', '"\\ud800"', '"\\ud83d\\ude00"']
)
counts = st.one_of(
    st.integers(0, 2**31 - 1).map(str),
    st.sampled_from(
        ["null", "0", "2147483647", "-0", "2147483648", "-1", "5.0", "1e2", "0.5", "true", '"5"', "9" * 40]
    ),
)
ratios = st.one_of(
    st.floats(0, 3000).map(repr),
    st.integers(0, 3000).map(str),
    st.sampled_from(["null", "1", "1.0", "3", "3.0000001", "2000", "1e3", "1e400", "-0.0", "true", '"1.1"', "9" * 400]),
)
anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8"), max_size=20),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=6,
).map(json.dumps)
SPELLINGS = [
    "null",
    "true",
    "7",
    "-7",
    "7.0",
    "7e0",
    "0.25",
    "NaN",
    '""',
    '"7"',
    '"a"',
    "[]",
    "{}",
    '["a"]',
    '"\\u0000"',
]
"""Values that no field likes or only some do; for the seeded fuzz."""


def own_spellings(name: str) -> list[str]:
    """Values on both sides of a field's own edges."""
    if name.endswith("_tokens"):
        return ["0", "1", "5", "10", "11", "2147483647", "2147483648", "1e2", "-0"]
    if name.endswith("_at"):
        clocks = [
            "T11:59:58Z",
            "T12:00:00.000001Z",
            "t12:00:00z",
            "T23:59:60Z",
            "T12:00:00.1234567+01:00",
            " 12:00:00Z",
        ]
        days = ["2026-11-22", "2024-02-29", "2025-02-29", "1999-12-31", "2100-01-01", "2000-01-01"]
        return [f'"{day}{clock}"' for day in days for clock in clocks]
    if name in {"devices", "batch_size", "utilisation", "pue", "rci_gco2e_per_kwh"}:
        return ["0", "-0.0", "0.999", "1", "1.0", "3", "3.001", "2000", "2001", "10000", "1000001", "1e400", "9" * 30]
    if name in {"gateway_cache_hit", "status", "usage_quality", "schema_version"}:
        return ["false", '"ok"', '"error"', '"derived"', '"estimated"', '"reported"', '"missing"', '"1"', '"2"']
    return [
        '"b"',
        '"' + "x" * 256 + '"',
        '"' + "x" * 257 + '"',
        '"\\ud83d\\ude00"',
        '"\\ud83d"',
        '"a\\u0000"',
        '"ä€😀"',
    ]


nonsense = st.sampled_from(
    ["NaN", "Infinity", "-Infinity", "[" * 50 + "]" * 50, '{"a":' * 20 + "1" + "}" * 20, "1e999"]
)


@st.composite
def time_texts(draw: st.DrawFn) -> str:
    """RFC 3339 in every spelling, on and beyond every edge of the calendar."""
    year = draw(st.sampled_from([1999, 2000, 2024, 2025, 2026, 2099, 2100]))
    month = draw(st.integers(1, 12) | st.sampled_from([0, 13]))
    day = draw(st.integers(1, 28) | st.sampled_from([0, 29, 30, 31, 32]))
    clock = draw(st.sampled_from(["00:00:00", "12:34:56", "23:59:59", "23:59:60", "24:00:00", "12:60:00", "1:00:00"]))
    fraction = draw(st.sampled_from(["", ".", ".5", ".12", ".123", ".1234", ".123456", ".1234567", ".999999999"]))
    zone = draw(
        st.sampled_from(["Z", "Z", "z", "+00:00", "-00:00", "+05:30", "-11:00", "+23:59", "+24:00", "+0000", "", " Z"])
    )
    separator = draw(st.sampled_from("TTTTt _"))
    return f"{year:04d}-{month:02d}-{day:02d}{separator}{clock}{fraction}{zone}"


times = st.one_of(
    time_texts(),
    st.datetimes(day("1999-12-30"), day("2100-01-02")).map(lambda moment: moment.isoformat() + "Z"),
    st.text(max_size=32),
).map(json.dumps)


def value_for(name: str) -> st.SearchStrategy[str]:
    if name.endswith("_tokens"):
        usual = counts
    elif name.endswith("_at"):
        usual = st.one_of(times, st.just('"2026-11-22T12:00:00Z"'))
    elif name in {"devices", "batch_size", "utilisation", "pue", "rci_gco2e_per_kwh"}:
        usual = ratios
    elif name == "gateway_cache_hit":
        usual = st.sampled_from(["true", "false", "null", "1", '"true"'])
    elif name == "status":
        usual = st.sampled_from(['"ok"', '"error"', "null", '"Ok"', '""', "0"])
    elif name == "usage_quality":
        usual = st.sampled_from(['"reported"', '"derived"', '"estimated"', '"missing"', "null", '"other"'])
    elif name == "schema_version":
        usual = st.sampled_from(['"1"', "null", '"2"', "1", '"1.0"'])
    else:
        usual = st.one_of(names, bad_names, st.just("null"))
    return usual


GOOD = {
    "schema_version": '"1"',
    "event_id": '"e-1"',
    "started_at": '"2026-11-22T11:59:58.5Z"',
    "ended_at": '"2026-11-22T12:00:00Z"',
    "tenant_id": '"acme"',
    "request_model": '"small"',
    "input_tokens": "10",
    "output_tokens": "5",
}
VALUES = {name: value_for(name) for name in FIELD_NAMES}
keys = st.sampled_from(FIELD_NAMES)


@st.composite
def objects(draw: st.DrawFn) -> str:
    """A plain object: a good event with a few fields changed, doubled, left out or of a type they should not have."""
    pairs: Pairs = list(GOOD.items())
    for name in draw(st.lists(keys, max_size=4)):
        kind = draw(st.sampled_from(["usual", "usual", "usual", "anything", "nonsense", "missing", "twice"]))
        if kind in {"missing", "usual", "anything", "nonsense"}:
            pairs = [pair for pair in pairs if pair[0] != name]
        if kind != "missing":
            values = {"anything": anything, "nonsense": nonsense}.get(kind, VALUES[name])
            pairs.insert(draw(st.integers(0, len(pairs))), (name, draw(values)))
    for _ in range(draw(st.integers(0, 2))):
        key = draw(st.sampled_from(["messages", "x", "data", "specversion", "Event_Id", "event_id "]))
        pairs.insert(draw(st.integers(0, len(pairs))), (key, draw(anything)))
    return spelled(pairs, draw(st.sampled_from(["", " ", "\n", "\t"])))


def spelled(pairs: Pairs, blank: str = "") -> str:
    """The pairs as the text of a JSON object."""
    return "{" + f",{blank}".join(f"{json.dumps(k)}{blank}:{blank}{v}" for k, v in pairs) + "}"


# --- the judge -------------------------------------------------------------------------------------------------------


def judged_by_the_model(text: str) -> CanonicalEvent | None:
    """Python's own JSON and the pydantic model; None where either refuses."""

    def refuse(_constant: str) -> NoReturn:
        raise ValueError("not JSON")

    def whole(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # Half a surrogate pair is no text: not in fields that nobody reads, nor where a second one of the name stands.
        json.dumps(pairs, ensure_ascii=False).encode()
        return dict(pairs)

    try:
        return CanonicalEvent.model_validate(json.loads(text, parse_constant=refuse, object_pairs_hook=whole))
    except (ValueError, ValidationError):
        return None


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def row(columns: EventColumns, index: int) -> dict[str, Any]:
    """Everything the columns know of one event."""
    return {
        "attribution": columns.attribution[index],
        "service": (*columns.service[index], *[None] * 6)[:10],
        "user_id": columns.user_id[index],
        "api_key_id": columns.api_key_id[index],
        "event_id": columns.event_id[index],
        "inference": bool(columns.inference[index]),
        "failed": bool(columns.failed[index]),
        "flags": int(columns.flags[index]),
        **{
            name: int(getattr(columns, name)[index])
            for name in ("ended_at_us", "duration_us", *(n for n in FIELD_NAMES if n.endswith("_tokens")))
        },
    }


def expected_row(event: CanonicalEvent) -> dict[str, Any]:
    """The same, from the model."""
    started_us = microseconds(event.started_at) if event.started_at else None
    quality = {"derived": Basis.USAGE_DERIVED, "estimated": Basis.USAGE_ESTIMATED}
    tokens = {name: getattr(event, name) for name in FIELD_NAMES if name.endswith("_tokens")}
    return {
        "attribution": (event.tenant_id, event.team_id, event.project_id, event.source),
        "service": (
            event.provider,
            event.request_model,
            event.response_model,
            event.inference_region,
            event.hardware,
            event.devices,
            event.batch_size,
            event.utilisation,
            event.pue,
            event.rci_gco2e_per_kwh,
        ),
        "user_id": event.user_id,
        "api_key_id": event.api_key_id,
        "event_id": event.event_id,
        "inference": event.gateway_cache_hit is not True,
        "failed": event.status == "error",
        "flags": int(quality.get(event.usage_quality or "", 0)),
        "ended_at_us": microseconds(event.ended_at),
        "duration_us": UNKNOWN if started_us is None else microseconds(event.ended_at) - started_us,
        **{name: UNKNOWN if value is None else value for name, value in tokens.items()},
    }


# --- the properties --------------------------------------------------------------------------------------------------


def assert_judged_alike(texts: list[str]) -> int:
    """Each object of a batch is an event with the model's values exactly where the model accepts it, else refused
    with a reason; what stands beside it in the batch makes no difference. Returns how many were accepted."""
    records = [RawRecord("t", 0, k, text.encode("utf-8", "surrogatepass")) for k, text in enumerate(texts)]
    columns, decoded = decode_batch(records)
    rows = {record.offset: row(columns, index) for index, record in enumerate(decoded.records)}
    refused = {item.record.offset: item for item in decoded.refused}
    for offset, text in enumerate(texts):
        event = judged_by_the_model(text)
        if event is None:
            assert offset in refused, f"accepted, though the model refuses it: {text}"
            assert refused[offset].reason
            assert refused[offset].detail
        else:
            assert offset not in refused, f"refused, though the model accepts it: {refused.get(offset)} {text}"
            assert rows[offset] == expected_row(event)
    assert len(rows) + len(refused) == len(texts)
    return len(rows)


@settings(max_examples=300, deadline=None)
@given(st.lists(objects(), min_size=1, max_size=4))
@example([spelled(list(GOOD.items()))] * 2)
def test_the_hot_path_accepts_what_the_model_accepts_with_equal_values(texts: list[str]) -> None:
    """Objects as strange as Hypothesis can make them."""
    assert_judged_alike(texts)


def test_the_hot_path_and_the_model_agree_on_many_seeded_objects() -> None:
    """12,000 good events with one or two values replaced, in batches in which good and bad stand side by side."""
    random = Random(20261122)
    pool = {name: [*SPELLINGS, *own_spellings(name)] for name in FIELD_NAMES}
    accepted = 0
    for _ in range(240):
        texts = []
        for _ in range(50):
            pairs = dict(GOOD)
            for name in random.sample(FIELD_NAMES, random.choice((1, 1, 2))):
                pairs[name] = random.choice(pool[name])
            texts.append(spelled(random.sample(list(pairs.items()), len(pairs))))
        accepted += assert_judged_alike(texts)
    assert 2_000 < accepted < 9_000, "the objects must be neither all good nor all bad"


@settings(max_examples=150, deadline=None)
@given(st.lists(time_texts() | st.text(max_size=33), min_size=1, max_size=8))
@example(["2026-11-22T12:00:00Z", "2024-02-29T00:00:00.000Z", "2025-02-29T00:00:00.000Z"])
def test_the_column_parser_equals_parse_time_on_all_it_understands(texts: list[str]) -> None:
    """What it understands it reads as `parse_time` does; the usual spellings of a good time it does understand."""
    times_us, understood = parse_times(texts)
    for text, time_us, good in zip(texts, times_us.tolist(), understood.tolist(), strict=True):
        try:
            expected: int | None = microseconds(parse_time(text))
        except ValueError:
            expected = None
        if good:
            assert time_us == expected, text
        elif expected is not None:
            assert not (text.endswith("Z") and "T" in text and len(text) in {20, 24, 27}), text


@given(st.datetimes(day("2000-01-01"), day("2100-01-01") - MICROSECOND), st.sampled_from(["Z", "+00:00"]))
def test_every_instant_of_the_century_is_read_to_the_microsecond(moment: datetime, zone: str) -> None:
    texts = [moment.isoformat(timespec=spec) + zone for spec in ("seconds", "milliseconds", "microseconds")]
    times_us, understood = parse_times(texts)
    assert understood.all()
    exact = microseconds(moment.replace(tzinfo=UTC))
    assert times_us.tolist() == [exact // 10**6 * 10**6, exact // 1000 * 1000, exact]
    assert times_us.dtype == np.int64
