"""Keys of events: their time, then a digest of tenant, source and id; a day where an event has no time of its own."""

import numpy as np

from rice_stream.events.keys import (
    digest_of_key,
    digests_of_keys,
    event_key,
    event_keys,
    key_hasher,
    key_times_us,
    keys_at,
    times_of_keys_us,
)
from rice_stream.instants import DAY_US
from tests.support.fakes import NOON_US


def test_a_key_is_the_same_in_every_version() -> None:
    """Records are found by it, whoever wrote them."""
    assert event_key("acme", None, "e-1", NOON_US).hex() == "01a20320a20016fb8b9c4893dd188f5c"
    assert event_key("acme", "/s", "\u00e9", NOON_US).hex() == "01a20320a2009c9456eb1938fd2a58c2"


def test_an_event_without_a_time_begins_with_its_day() -> None:
    times_us = np.array([NOON_US, NOON_US, 0, DAY_US - 1])
    untimed = np.array([False, True, True, True])
    assert key_times_us(times_us, untimed).tolist() == [NOON_US, NOON_US - DAY_US // 2, 0, 0]
    assert key_times_us(times_us, np.zeros(4, dtype=np.bool_)).tolist() == times_us.tolist()


def test_keys_are_taken_apart_and_moved_in_time() -> None:
    ids = [b"a", b"b", b"c"]
    times_us = np.array([NOON_US + 999, 0, 2**47 * 1000])
    keys = event_keys(times_us, [key_hasher("acme", "/s")] * 3, ids)
    assert times_of_keys_us(keys).tolist() == (times_us // 1000 * 1000).tolist()
    moved = keys_at(keys, times_us + DAY_US)
    assert moved.tobytes() == event_keys(times_us + DAY_US, [key_hasher("acme", "/s")] * 3, ids).tobytes()
    first, last = digests_of_keys(keys)
    for row, key in enumerate(keys):
        assert int(first[row]).to_bytes(2, "big") + int(last[row]).to_bytes(8, "big") == digest_of_key(key.tobytes())
