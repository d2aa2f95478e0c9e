"""The binary stream of COPY, read back value by value: what PostgreSQL is sent is what the records say, in their order."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from rice_stream.quantities import UNKNOWN
from rice_stream.store.batch import Records
from rice_stream.store.copy_stream import (
    HEADER,
    TRAILER,
    probe_stream,
    records_stream,
    stream_ahead,
    streamed_columns,
)
from rice_stream.store.laid_out_rows import ROWS_OF_LAYOUT
from rice_stream.store.probe import PROBE_COLUMNS
from rice_stream.store.record_columns import NULLABLE_COLUMNS, RECORD_COLUMNS


def records_of(n: int, ids: list[bytes]) -> Records:
    """Any numbers; some columns are null in some rows, some in all."""
    numbers = np.random.default_rng(n)
    columns = {
        name: numbers.integers(0, 2**31 - 1, n) for name in RECORD_COLUMNS if name not in ("event_key", "event_id")
    }
    for name, share in zip(NULLABLE_COLUMNS, (0.5, 0.0, 1.0, 0.3), strict=False):
        columns[name][numbers.random(n) < share] = UNKNOWN
    keys = numbers.integers(0, 256, (n, 16)).astype(np.uint8)
    empty = np.zeros((n, 16), dtype=np.int64)
    return Records(keys, columns, ids, empty, np.zeros(n, dtype=np.bool_)).recorded_at(1_795_348_800_000_000)


def rows_of(stream: bytes) -> Iterator[list[bytes | None]]:
    """By the documentation of PostgreSQL: a count of fields, and a length before each, -1 for null; in the end a count of -1."""
    assert stream.startswith(HEADER)
    at = len(HEADER)
    while stream[at : at + 2] != TRAILER:
        (count,) = struct.unpack_from(">h", stream, at)
        at += 2
        row: list[bytes | None] = []
        for _ in range(count):
            (length,) = struct.unpack_from(">i", stream, at)
            at += 4
            row.append(None if length == -1 else stream[at : at + length])
            at += max(length, 0)
        yield row
    assert len(stream) == at + 2


@pytest.mark.parametrize("n", [0, 1, 7, 5 * ROWS_OF_LAYOUT])
def test_rows_are_sent_as_they_are_in_their_order(n: int) -> None:
    """Whatever is null, and however long the ids are; a stream of one length and of many, in one part and in several."""
    random = Random(n)
    for lengths in ((20,), (1, 12, 20, 256)):
        ids = [random.randbytes(random.choice(lengths)) for _ in range(n)]
        records = records_of(n, ids)
        names = streamed_columns(records)
        found = list(rows_of(b"".join(records_stream(records))))
        assert sorted(names) == sorted(records.sent_columns)
        assert len(found) == n
        for number, row in enumerate(found):
            said = dict(zip(names, row, strict=True))
            assert said.pop("event_id") == ids[number]
            assert said.pop("event_key") == records.event_keys[number].tobytes()
            for name, value in said.items():
                expected = int(records.columns[name][number])
                assert (UNKNOWN if value is None else int.from_bytes(value, "big")) == expected
                assert value is None or len(value) in (4, 8)


@pytest.mark.parametrize("n", [1, 3 * ROWS_OF_LAYOUT])
def test_what_is_looked_for_is_what_the_events_said(n: int) -> None:
    """A line each, who the event itself said it is charged to, and no time of events without one."""
    records = records_of(n, [b"e"] * n)
    untimed = np.arange(n) % 3 == 0
    records = replace(records, untimed=untimed, said_attribution=np.arange(n) + 7)
    found = list(rows_of(b"".join(probe_stream(records))))
    assert len(found) == n
    for number, row in enumerate(found):
        said = dict(zip(("line", *PROBE_COLUMNS), row, strict=True))
        assert said.pop("event_key") == records.event_keys[number].tobytes()
        assert int.from_bytes(said.pop("line") or b"", "big") == number
        assert int.from_bytes(said.pop("attribution_key") or b"", "big") == number + 7
        assert (said["ended_at_us"] is None) == bool(untimed[number])
        for name, value in said.items():
            expected = int(records.said(name)[number])
            assert (UNKNOWN if value is None else int.from_bytes(value, "big")) == expected, name


@pytest.mark.parametrize("n", [0, 1, 7, 3 * ROWS_OF_LAYOUT])
def test_made_ahead_it_is_the_same_whenever_it_is_written(n: int) -> None:
    """Written again at another time as well, as after a database that was away."""
    random = Random(n)
    records = records_of(n, [random.randbytes(random.choice([1, 12])) for _ in range(n)])
    ahead = stream_ahead(records)
    for instant_us in (1_795_348_800_000_000, 1_795_348_800_123_456):
        assert b"".join(ahead.at(instant_us)) == b"".join(records_stream(records.recorded_at(instant_us)))
