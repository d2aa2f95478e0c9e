"""Lists of event ids: each id is in exactly one, under its own bucket, with whose and when; rows fit a page."""

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.store.event_id_lists import (
    LISTED_MAX,
    SPLITS_MAX,
    ListedIds,
    list_rows,
    place_of,
    read_listed,
    rows_by_month,
    splits_for,
    tag_of,
    tags_of,
)

_PAGE_BYTES = 8_150
_RECORDS = st.lists(
    st.tuples(st.integers(1, 2**31 - 1), st.integers(0, 4_000_000_000_000), st.text(min_size=1, max_size=40)),
    min_size=1,
    max_size=60,
)


def read(rows: list[bytes]) -> list[tuple[int, int, int, ListedIds]]:
    """(splits, bucket, month, listed) of rows as they go over the wire, of which each has three pieces."""
    found = []
    for head, tags, places in zip(*[iter(rows)] * 3, strict=True):
        _, _, splits, _, bucket, _, month, _, _ = struct.unpack(">hiiiiiiiq", head)
        # An array begins with its length.
        found.append((splits, bucket, month, read_listed([tags[4:]], [places[4:]])))
        # Stored, its elements are without their lengths.
        assert 4 * (12 * len(found[-1][3].tags) + 110) < _PAGE_BYTES
    return found


@given(_RECORDS)
def test_every_record_is_listed_once_with_its_tenant_and_the_time_of_its_key(
    records: list[tuple[int, int, str]],
) -> None:
    tenants, times, names = zip(*records, strict=True)
    ids = [name.encode() for name in names]
    keys = np.array([list(ms.to_bytes(6, "big") + bytes(10)) for ms in times], dtype=np.uint8)
    found = [
        (tag, *place_of(place, month))
        for splits, bucket, month, listed in read(rows_by_month(np.array(tenants), keys, ids))
        for tag, place in zip(listed.tags.tolist(), listed.places.tolist(), strict=True)
        if splits == bucket == 0
    ]
    assert sorted(found) == sorted(zip(map(tag_of, ids), tenants, times, strict=True))
    assert tags_of(ids).tolist() == [tag_of(each) for each in ids]


@given(
    st.lists(st.integers(0, 2**32 - 1), max_size=300),
    st.integers(0, 3 * LISTED_MAX),
    st.sampled_from(range(0, SPLITS_MAX + 1, 4)),
)
@settings(max_examples=30)
def test_lists_are_of_one_bucket_and_no_longer_than_a_page(tags: list[int], same: int, splits: int) -> None:
    """However many ids have one tag."""
    every = np.array([*tags, *[2**31] * same], dtype=np.uint32)
    rows = read(list_rows(3, ListedIds(every, np.arange(len(every))), splits))
    assert sorted(tag for row in rows for tag in row[3].tags.tolist()) == sorted(every.tolist())
    assert all(of == splits and month == 3 and len(listed.tags) <= LISTED_MAX for of, _, month, listed in rows)
    assert all(tag >> (32 - splits) == bucket for _, bucket, _, listed in rows for tag in listed.tags.tolist())


def test_a_batch_is_cut_into_buckets_of_some_hundred() -> None:
    assert all(40 <= count / 2 ** splits_for(count) <= 4 * LISTED_MAX for count in range(40, 10**6, 997))
