"""Partitions: a name is that of one month, a month's bounds hold the keys of its events, and there are never many."""

from datetime import UTC, datetime
from random import Random

import pytest

from rice_stream.instants import YEAR_MIN, epoch_us
from rice_stream.store.event_key_columns import key_floor
from rice_stream.store.partitions import (
    FIRST_MONTH,
    RecordPartition,
    missing_partition,
    month_floor,
    month_number,
    month_of_name,
    month_start,
    partition_name,
)


def test_a_month_has_one_name_and_the_name_one_month() -> None:
    """Over all years that an event may lie in."""
    names = [partition_name(month) for month in range(month_number(2000, 1), month_number(2100, 1))]
    assert names[0] == "prompt_record_p200001"
    assert names == sorted(set(names))
    assert [month_of_name(name) for name in names] == list(range(month_number(2000, 1), month_number(2100, 1)))


@pytest.mark.parametrize(
    "name",
    [
        "prompt_record",
        "prompt_record_archive",
        "prompt_record_p2026",
        "prompt_record_p202613",
        "prompt_record_p202600",
        "prompt_record_p202611_old",
        "old_prompt_record_p202611",
        "prompt_record_p２０２６１１",
    ],
)
def test_any_other_table_is_no_monthly_partition(name: str) -> None:
    """Retention drops by this: what merely looks alike is left alone."""
    assert month_of_name(name) is None


def test_the_bounds_of_a_partition_are_the_first_keys_of_its_month_and_of_the_next() -> None:
    """December is followed by January of the next year."""
    december = month_number(2026, 12)
    assert month_start(december) == datetime(2026, 12, 1, tzinfo=UTC)
    low = key_floor(epoch_us(datetime(2026, 12, 1, tzinfo=UTC)) // 1000).int
    high = key_floor(epoch_us(datetime(2027, 1, 1, tzinfo=UTC)) // 1000).int
    assert missing_partition(december, []) == RecordPartition("prompt_record_p202612", low, high)


def test_a_month_that_lies_in_a_partition_needs_none() -> None:
    december = month_number(2026, 12)
    made = missing_partition(december, [])
    assert made is not None
    assert missing_partition(december, [made]) is None
    assert missing_partition(december + 1, [made]) is not None
    archive = RecordPartition("archive", month_floor(december - 12), month_floor(december + 12))
    assert missing_partition(december, [archive]) is None


@pytest.mark.parametrize("seed", range(5))
def test_any_months_of_the_past_make_few_partitions_that_hold_all_of_them(seed: int) -> None:
    """However a sender chooses his times: one partition a month since 2023, one more for all that went before, and one more
    for each gap between those that were there already."""
    random = Random(seed)
    months = list(range(month_number(YEAR_MIN, 1), month_number(2027, 3)))
    earlier = [
        RecordPartition(partition_name(m), month_floor(m), month_floor(m + 1)) for m in random.sample(months, seed)
    ]
    there = list(earlier)
    for month in random.sample(months, len(months)):
        made = missing_partition(month, there)
        if made is not None:
            assert not any(other.low < made.high and made.low < other.high for other in there)
            assert made.name not in {other.name for other in there}
            assert made.is_ours
            there.append(made)
    assert all(missing_partition(month, there) is None for month in months)
    assert len(there) <= month_number(2027, 3) - FIRST_MONTH + 1 + 2 * len(earlier)


def test_the_partition_of_the_time_before_is_named_by_its_end() -> None:
    made = missing_partition(month_number(2001, 5), [])
    assert made == RecordPartition("prompt_record_before_20230101", 0, month_floor(month_number(2023, 1)))
