"""Ids that come again with another time are counted while they are remembered, in bounded memory."""

import numpy as np

from rice_stream.events.keys import event_keys, key_hasher
from rice_stream.quantities import Ints
from rice_stream.worker.repeated_ids import SLOTS, RecentIds


def keys(ids: list[str], times_us: list[int] | Ints, tenant: str = "acme") -> np.ndarray:
    return event_keys(np.array(times_us), [key_hasher(tenant, None)] * len(ids), [each.encode() for each in ids])


def test_an_id_at_another_time_is_counted_and_its_repetition_is_not() -> None:
    recent = RecentIds()
    assert recent.count_repeated(keys(["a", "b"], [1_000, 1_000])) == 0
    assert recent.count_repeated(keys(["a"], [1_000])) == 0, "the same key is one record"
    assert recent.count_repeated(keys(["a"], [2_000])) == 1
    assert recent.count_repeated(keys(["a"], [2_000], tenant="globex")) == 0


def test_within_a_batch_each_record_beyond_the_first_is_counted() -> None:
    assert RecentIds().count_repeated(keys(["a", "b", "a", "a"], [1_000, 1_000, 2_000, 3_000])) == 2
    assert RecentIds().count_repeated(keys([], [])) == 0


def test_memory_is_bounded_and_the_latest_ids_are_remembered() -> None:
    """4,096 slots: of the latest 400 ids nine in ten are told, of those 40,000 ids ago next to none."""
    recent = RecentIds(4_096)
    ids = [f"id-{number}" for number in range(40_000)]
    assert recent.count_repeated(keys(ids, np.full(len(ids), 1_000))) == 0
    assert recent.count_repeated(keys(ids[-400:], np.full(400, 2_000))) > 340
    assert recent.count_repeated(keys(ids[:400], np.full(400, 2_000))) < 10
    assert SLOTS * 16 <= 8 * 2**20
