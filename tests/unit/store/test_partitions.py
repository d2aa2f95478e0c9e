"""Partitions by the month: a name is that of one month, and a month's bounds hold the keys of its events."""

import re
import uuid
from datetime import UTC, datetime

import pytest

from rice_stream.instants import epoch_us
from rice_stream.store.event_key_columns import key_floor
from rice_stream.store.partitions import create_statement, month_number, month_of_name, month_start, partition_name


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
    statement = create_statement(december)
    assert statement.startswith("CREATE TABLE IF NOT EXISTS prompt_record_p202612 PARTITION OF prompt_record")
    low, high = (uuid.UUID(text) for text in re.findall(r"'([0-9a-f-]{36})'", statement))
    assert low == key_floor(epoch_us(datetime(2026, 12, 1, tzinfo=UTC)) // 1000)
    assert high == key_floor(epoch_us(datetime(2027, 1, 1, tzinfo=UTC)) // 1000)
