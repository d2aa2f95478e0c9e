"""A writer's memory of keys: what came lately is known, what never came is not, and it does not grow."""

import numpy as np
import pytest

from rice_stream.store import recent_keys
from rice_stream.store.recent_keys import RecentKeys
from tests.support.cases import drawn


def keys(first: int, count: int) -> np.ndarray:
    """Keys as records have them: a time, then a digest."""
    found = np.zeros((count, 16), dtype=np.uint8)
    found[:, 8:] = np.random.default_rng(first).integers(0, 256, (count, 8), dtype=np.uint8)
    return found


def test_keys_that_were_added_are_found_and_no_others() -> None:
    recent = RecentKeys()
    first, second = keys(1, 20_000), keys(2, 20_000)
    assert not recent.rows_of(first).size
    recent.add(first)
    recent.add(first)
    mixed = np.concatenate([second[:7], first[100:103], second[7:9]])
    assert recent.rows_of(mixed).tolist() == [7, 8, 9]


def test_the_last_keys_are_remembered_and_old_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """With small tables, of which every slot is asked for often."""
    monkeypatch.setattr(recent_keys, "KEYS_MIN", 100)
    monkeypatch.setattr(recent_keys, "_SLOTS", 512)
    monkeypatch.setattr(recent_keys, "_SHIFT", np.uint64(64 - 9))
    recent, random = RecentKeys(), drawn("recent keys")
    added: list[np.ndarray] = []
    for number in range(200):
        added.append(keys(number, random.randrange(60)))
        recent.add(added[-1])
        last = np.concatenate(added)[-100:]
        assert recent.rows_of(last).size == len(last)
    assert not recent.rows_of(added[0]).size


def test_of_a_batch_beyond_all_bounds_a_part_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_keys, "_SLOTS", 512)
    monkeypatch.setattr(recent_keys, "_SHIFT", np.uint64(64 - 9))
    recent = RecentKeys()
    recent.add(keys(1, 10_000))
    assert 0 < recent.rows_of(keys(1, 10_000)).size < 300
