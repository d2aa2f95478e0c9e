"""Any bytes at all as a record: never an exception, never a lost neighbour, each item an event or refused."""

import json
from collections import Counter
from collections.abc import Sequence
from random import Random

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from rice_stream.events.decoding import decode_batch
from rice_stream.events.records import RawRecord
from tests.support.cases import drawn, size
from tests.support.fakes import event, value_of

FUZZED = size(60_000, 200_000)

headers = st.lists(
    st.tuples(
        st.sampled_from(
            ["ce_id", "ce_source", "ce_type", "ce_specversion", "ce_time", "CE_tenantid", "ce_subject", ""]
        ),
        st.binary(max_size=12) | st.sampled_from([b"1.0", b"2026-11-22T12:00:00Z", b"a\x00b"]),
    ),
    max_size=8,
).map(tuple)
json_like = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=4) | st.sampled_from(["specversion", "data", "data_base64", "id", "event_id"]), inner
        )
    ),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())
payloads = st.one_of(
    st.none(),
    st.binary(max_size=64),
    json_like,
    st.lists(json_like, max_size=3).map(b"\n".join),
    st.binary(max_size=4).map(lambda head: b"\x00" + head + value_of(event())),
)


def assert_each_item_is_one_thing(records: Sequence[RawRecord]) -> tuple[Counter[int], Counter[int]]:
    """Every record gives items 0, 1, 2 ..., each once, as an event or as refused. Returns both by offset.

    What is ignored is counted in its own test: nothing here is written as software would that is to be ignored.
    """
    columns, decoded = decode_batch(records)
    assert decoded.ignored == []
    assert len(columns) == len(decoded.events) == len(decoded.records) == len(decoded.items)
    assert columns.valid.all()
    events = [(record.offset, item) for record, item in zip(decoded.records, decoded.items, strict=True)]
    refused = [(item.record.offset, item.item) for item in decoded.refused]
    items: dict[int, list[int]] = {record.offset: [] for record in records}
    for offset, item in events + refused:
        items[offset].append(item)
    for found in items.values():
        assert sorted(found) == list(range(len(found)))
        assert found
    assert events == sorted(events), "events keep the order of the log"
    for refusal in decoded.refused:
        assert refusal.reason.isidentifier()
        assert refusal.detail
        assert refusal.payload
    return Counter(offset for offset, _ in events), Counter(offset for offset, _ in refused)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(payloads, headers | st.just(())), min_size=1, max_size=6))
@example([(None, ()), (b"", ()), (b"\x00", ()), (b"[", ()), (b"{" * 2000, ())])
def test_any_bytes_leave_their_neighbours_alone(
    batch: list[tuple[bytes | None, tuple[tuple[str, bytes], ...]]],
) -> None:
    """A good event before and behind every strange record comes out as it went in."""
    records = []
    for k, (value, with_headers) in enumerate(batch):
        good = value_of(event(event_id=f"good-{k}"))
        records += [RawRecord("t", 0, 2 * k, good), RawRecord("t", 0, 2 * k + 1, value, with_headers)]
    assume(not decode_batch(records)[1].ignored)  # by chance written as software does that is to be ignored
    events, refused = assert_each_item_is_one_thing(records)
    for k in range(len(batch)):
        assert events[2 * k] == 1
        assert refused[2 * k] == 0


def seeds() -> list[bytes]:
    """One of every shape that is understood."""
    plain = event(messages=[{"role": "user", "content": "hi"}], cache_read_input_tokens=3, devices=2.0, status="ok")
    envelope = {"specversion": "1.0", "id": "i", "source": "/s", "type": "t", "tenantid": "acme"}
    return [
        value_of(plain),
        value_of([plain, event()]),
        value_of(event()) + b"\n" + value_of(plain),
        value_of({**envelope, "data": plain}),
        value_of([{**envelope, "data": event()}]),
        value_of({**envelope, "data_base64": "eyJ0ZW5hbnRfaWQiOiAiYSJ9"}),
        b"\x00\x00\x00\x00\x01" + value_of(plain),
    ]


TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b":",
    b",",
    b"\\",
    b"\\u0000",
    b"\\ud83d",
    b"null",
    b"true",
    b"-",
    b"1e400",
    b"\n",
]
TOKENS += [
    b"\x00",
    b"\xff",
    b"\xc3",
    b"9" * 30,
    b"0.5",
    b'"2026-11-22T12:00:00+01:00"',
    b'"specversion":"1.0",',
    b" " * 9,
]


def mutated(random: Random, corpus: Sequence[bytes]) -> bytes:
    """A seed with one to four cuts, flips, repeats, splices or insertions."""
    value = bytearray(random.choice(corpus))
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(value) + 1)
        match random.randrange(6):
            case 0 if at < len(value):
                value[at] = random.randrange(256)
            case 1:
                del value[at : at + random.randint(1, 12)]
            case 2:
                value[at:at] = random.choice(TOKENS)
            case 3:
                value[at : at + random.randint(0, 9)] = random.choice(TOKENS)
            case 4:
                value[at:at] = value[at : at + random.randint(1, 40)]
            case _:
                other = random.choice(corpus)
                value[at:] = other[random.randrange(len(other)) :]
    return bytes(value)


def test_many_mutated_payloads_never_crash_and_never_cost_a_neighbour() -> None:
    """60,000 seeded mutations (in a drill 200,000) of every accepted shape, a good event between each ten of them."""
    random = drawn("mutations")
    corpus = seeds()
    events_total = refused_total = 0
    for _ in range(FUZZED // 1_000):
        values = [mutated(random, corpus) for _ in range(1_000)]
        values[::10] = [value_of(event(event_id=f"good-{k}")) for k in range(100)]
        records = [RawRecord("t", 0, k, value) for k, value in enumerate(values)]
        events, refused = assert_each_item_is_one_thing(records)
        assert all(events[k] == 1 and refused[k] == 0 for k in range(0, 1_000, 10))
        events_total += events.total()
        refused_total += refused.total()
    assert events_total > FUZZED * 0.15, "the mutations must leave a good part valid, or they test one branch only"
    assert refused_total > FUZZED * 0.15
