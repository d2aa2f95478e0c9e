"""Records that are found where they lie: the same as aiokafka's code makes of them, or none."""

import struct
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import aiokafka.codec
import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rice_stream.events.kept_values import KeptValues
from rice_stream.worker import plain_batches
from rice_stream.worker.plain_batches import plain_records, record_count
from rice_stream.worker.unpacking import unpacked

IN_PLACE = 8
"""Records of so many bytes count as large."""
CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
RECORDS_AT, LOG_APPEND_TIME = 61, 0x08


class Sent(NamedTuple):
    """A record as it was sent: milliseconds after the first one of its batch, offsets left out before it."""

    later_ms: int
    left_out: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


BYTES = st.binary(max_size=9) | st.sampled_from([b"x" * 63, b"x" * 64, b"}", b"}\0", b"\0"])
JSON = st.text("abc,:", max_size=70).map(lambda text: b'{"a": "%s"}' % text.encode())
TIMES = st.integers(0, 90) | st.integers(-(2**33), 2**45)
PLAIN = st.builds(
    Sent, TIMES, st.just(0) | st.integers(0, 9_000), st.none() | BYTES, st.none() | BYTES | JSON, st.just(())
)
OBJECTS = st.builds(Sent, st.integers(0, 90), st.just(0), st.none() | BYTES, JSON, st.just(()))
BATCH = st.lists(OBJECTS, min_size=1, max_size=40) | st.lists(PLAIN, min_size=1, max_size=40)


def batch(records: Sequence[Sent], first_offset: int = 0, *, codec: int = 0, of_broker: bool = False) -> bytes:
    """A batch as a broker sends it; its check sum is not made."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10**8)
    offset = -1
    for record in records:
        offset += 1 + record.left_out
        builder.append(offset, 1_700_000_000_000 + record.later_ms, record.key, record.value, list(record.headers))
    raw = bytearray(builder.build())
    if codec:
        raw[RECORDS_AT:] = getattr(aiokafka.codec, f"{CODECS[codec]}_encode")(bytes(raw[RECORDS_AT:]))
        struct.pack_into(">i", raw, 8, len(raw) - 12)
    struct.pack_into(">h", raw, 21, codec | (LOG_APPEND_TIME if of_broker else 0))
    struct.pack_into(">q", raw, 0, first_offset)
    return bytes(raw)


def theirs(raw: bytes) -> list[tuple[Any, ...]]:
    """What aiokafka reads. CorruptRecordException, UnicodeDecodeError: it cannot."""
    found = iter(DefaultRecordBatch(raw))
    return [(one.offset, one.timestamp, one.timestamp_type, one.key, one.value, tuple(one.headers)) for one in found]


def ours(*batches: bytes) -> list[list[tuple[Any, ...]] | None]:
    found = plain_records(b"".join(batches), list(accumulate(map(len, batches))))
    return [None if each is None else [tuple(record) for record in each] for each in found]


@pytest.fixture(params=["copied", "in place"])
def few(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Few records are worth it; all of them come into one text, or all stay where they are."""
    monkeypatch.setattr(plain_batches, "COUNT_MIN", 1)
    monkeypatch.setattr(plain_batches, "LARGE_BYTES", 10**6 if request.param == "copied" else IN_PLACE)


ANY = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.mark.usefixtures("few")
@given(
    batches=st.lists(BATCH, min_size=1, max_size=4), codec=st.sampled_from([0, 0, 1, 2, 3, 4]), of_broker=st.booleans()
)
@ANY
def test_records_without_headers_are_those_that_aiokafka_gives(
    batches: list[list[Sent]], codec: int, of_broker: bool
) -> None:
    """Any keys, values, times and holes between offsets, packed or not; several batches at once are each of them. Where nothing
    is copied, numbers in the last bytes of all are left to aiokafka."""
    if plain_batches.LARGE_BYTES == IN_PLACE:
        batches = [[*each, Sent(0, 0, None, b"a large one")] for each in batches]
    raw = [batch(each, 1_000 * at, codec=codec, of_broker=of_broker) for at, each in enumerate(batches)]
    assert ours(*raw) == [theirs(each) for each in raw]
    assert [record_count(memoryview(each)) for each in raw] == [len(each) for each in batches]


@pytest.mark.usefixtures("few")
@given(records=BATCH, size=st.integers(0, 12), key=st.none() | BYTES)
@ANY
def test_a_record_of_few_bytes_at_the_end_is_given_as_it_is_or_not(
    records: list[Sent], size: int, key: bytes | None
) -> None:
    """A number is never read from what lies behind a text."""
    raw = batch([*records, Sent(0, 0, key, bytes(size) or None)])
    assert ours(raw) in ([None], [theirs(raw)])


@pytest.mark.usefixtures("few")
@given(records=BATCH, at=st.integers(0, 39), value=BYTES, other=BATCH)
@ANY
def test_a_batch_with_a_header_is_left_to_aiokafka_and_the_others_are_not(
    records: list[Sent], at: int, value: bytes, other: list[Sent]
) -> None:
    """Whatever the header ends with; also where nothing else tells that it is there."""
    at %= len(records)
    records = [*records[:at], records[at]._replace(headers=(("traceparent", value),)), *records[at + 1 :]]
    plain = batch(other)
    assert ours(batch(records), plain) in ([None, theirs(plain)], [None, None])


@pytest.mark.usefixtures("few")
@given(records=BATCH, at=st.integers(0, 2_000), octet=st.integers(0, 255), cut=st.integers(0, 3), data=st.data())
@ANY
def test_of_a_broken_batch_nothing_is_given_that_aiokafka_would_not_give(
    records: list[Sent], at: int, octet: int, cut: int, data: st.DataObject
) -> None:
    """Any byte of its records changed, or some cut off: what is left to aiokafka is told as it tells it."""
    raw = bytearray(batch(records))
    raw[RECORDS_AT + at % (len(raw) - RECORDS_AT)] = octet
    broken = bytes(raw[: len(raw) - cut])
    (found,) = ours(broken)
    if found is not None:
        assert found == theirs(broken)
    if data.draw(st.booleans()):
        packed = batch(records, codec=4)
        assert ours(packed[: RECORDS_AT + at % (len(packed) - RECORDS_AT)]) == [None]


def test_nothing_is_looked_through_in_vain_behind_a_batch_that_begins_with_headers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A producer that traces its records writes headers into all of them: no other batch is unpacked twice for that."""
    plain = batch([Sent(0, 0, None, b'{"a": 1}')] * 100)
    traced = batch([Sent(0, 0, b"k", b'{"a": 1}', (("traceparent", b"00-1"),))] * 100, codec=4)
    looked_at: list[int] = []

    def counted(codec: int, payload: memoryview) -> bytes | None:
        looked_at.append(codec)
        return unpacked(codec, payload)

    monkeypatch.setattr(plain_batches, "unpacked", counted)
    assert ours(plain, traced, traced, plain) == [theirs(plain), None, None, None]
    assert looked_at == [4]


def test_a_number_without_an_end_is_none() -> None:
    """Megabytes of it take no time."""
    raw = bytearray(batch([Sent(0, 0, None, b"x" * 2_000)] * 1_000))
    raw[RECORDS_AT:] = b"\xff" * (len(raw) - RECORDS_AT)
    assert ours(bytes(raw)) == [None]


def test_what_aiokafka_refuses_is_left_to_it() -> None:
    """A record that says it is longer than it is."""
    records = [Sent(0, 0, None, b'{"a": 1}')] * 100
    raw = bytearray(batch(records))
    assert len(ours(bytes(raw))[0] or []) == 100
    raw[RECORDS_AT] += 2
    assert ours(bytes(raw)) == [None]
    with pytest.raises(CorruptRecordException):
        theirs(bytes(raw))


@pytest.mark.parametrize("codec", [0, 3])
def test_large_records_stay_where_they_are(codec: int) -> None:
    """What a broker sent, or a batch was unpacked to, is not copied; small ones beside them are read as well."""
    records = [Sent(at, 0, b"k" if at % 2 else None, b"%04d" % at * 1_000) for at in range(70)]
    small = batch([Sent(0, 0, None, b"{}")] * 64, 70, codec=codec)
    raw = [batch(records, codec=codec), small, batch(records, 134, codec=codec)]
    text = b"".join(raw)
    found = plain_records(text, list(accumulate(map(len, raw))))
    assert [None if each is None else [tuple(one) for one in each] for each in found] == [theirs(each) for each in raw]
    one, other, last = (each.text for each in found if each is not None)
    assert (one is text, other is text, last is text) == (codec == 0, False, codec == 0)


def test_few_and_many_records_are_left_to_aiokafka(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each for what it costs otherwise: time, memory."""
    small = Sent(0, 0, None, b"{}")
    assert ours(batch([small] * 10)) == [None]
    assert ours(batch([Sent(0, 0, None, b"x" * 4_000)] * 63)) == [None]
    monkeypatch.setattr(plain_batches, "COUNT_MAX", 99)
    assert ours(batch([small] * 100)) == [None]
    assert ours(batch([small] * 99)) != [None]


def test_many_batches_of_few_records_are_read_together() -> None:
    """What producers send that wait for nothing."""
    raw = [batch([Sent(0, 0, b"k", b'{"a": 1}')] * 4, 4 * at) for at in range(30)]
    assert ours(*raw) == [theirs(each) for each in raw]
    found = [each for each in plain_records(b"".join(raw), list(accumulate(map(len, raw)))) if each is not None]
    joined = KeptValues.joined(found)
    assert joined is not None
    assert joined.offsets.tolist() == list(range(120))
