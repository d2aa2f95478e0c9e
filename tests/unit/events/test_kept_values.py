"""Records of which the values are kept: the same records, one by one and in parts."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.events.kept_values import KeptRecord, KeptValues, LetGoRecords

RECORDS = st.lists(
    st.tuples(
        st.integers(1, 9), st.integers(-1, 2**45), st.none() | st.binary(max_size=5), st.none() | st.binary(max_size=9)
    ),
    min_size=1,
    max_size=30,
)
ENDS = st.none() | st.integers(-35, 35)


@given(RECORDS, ENDS, ENDS)
def test_they_are_a_sequence_of_the_same_records(
    drawn: list[tuple[int, int, bytes | None, bytes | None]], first: int | None, end: int | None
) -> None:
    """With holes between offsets and without, with keys and without, tombstones, any time."""
    offsets = np.cumsum([step for step, *_ in drawn]).tolist()
    plain = [KeptRecord(at, ms, 1, key, value) for at, (_, ms, key, value) in zip(offsets, drawn, strict=True)]
    kept = KeptValues.of(plain)
    assert kept is not None
    assert list(kept) == plain
    assert [kept[0], kept[-1]] == [plain[0], plain[-1]]
    part, expected = kept[first:end], plain[first:end]
    assert list(part) == expected
    assert len(part) == len(expected)
    assert part.values == [each.value for each in expected]
    assert part.size_bytes >= sum(len(each.value or b"") + len(each.key or b"") for each in expected)
    with pytest.raises(IndexError):
        kept[len(plain)]


@pytest.mark.parametrize(
    "odd",
    [
        KeptRecord(1, 5, 0, None, b"v", (("traceparent", b"00-1"),)),
        KeptRecord(1, 5, 1, None, b"v"),
        KeptRecord(1, None, 0, None, b"v"),  # type: ignore[arg-type]
    ],
    ids=["headers", "another type of time", "no time"],
)
def test_others_are_left_as_they_are(odd: KeptRecord) -> None:
    """What is not kept of a record would be lost."""
    assert KeptValues.of([KeptRecord(0, 5, 0, None, b"v"), odd]) is None


@given(RECORDS, st.lists(st.integers(0, 30), min_size=1, max_size=3))
def test_several_one_after_the_other_are_their_records(
    drawn: list[tuple[int, int, bytes | None, bytes | None]], cuts: list[int]
) -> None:
    plain = [KeptRecord(at, ms, 1, key, value) for at, (_, ms, key, value) in enumerate(drawn)]
    whole = KeptValues.of(plain)
    assert whole is not None
    edges = [0, *sorted(cuts), len(plain)]
    joined = KeptValues.joined([whole[first:end] for first, end in pairwise(edges)])
    assert joined is not None
    assert list(joined) == plain
    another = KeptValues.of([KeptRecord(0, 5, 0, None, b"v")])
    assert another is not None
    assert KeptValues.joined([whole, another]) is None
    assert KeptValues.joined([]) is None


def test_of_records_that_were_let_go_their_places_and_times_are_known_and_nothing_else() -> None:
    records = [KeptRecord(7, 1_000, 0, b"k", b"v"), KeptRecord(9, 1_001, 0, None, None)]
    kept = KeptValues.of(records)
    assert kept is not None
    for source in (records, kept):
        found = LetGoRecords.of(source)
        assert [tuple(each) for each in found] == [(7, 1_000), (9, 1_001)]
        assert [tuple(each) for each in found[1:]] == [(9, 1_001)]
        assert not hasattr(found[0], "value"), "whoever asks for it fails, and finds no empty record"
