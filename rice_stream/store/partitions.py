"""The partitions of `prompt_record` on PostgreSQL: their names, their bounds, and which there are.

One a month from 2023 on, and one for all the time before: a sender who writes old times makes no hundreds of tables. A month
is counted from 1970-01. Event keys begin with the event's time, so a month is a range of keys.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from rice_stream.instants import epoch_s
from rice_stream.store.event_key_columns import key_floor

_NAME = re.compile(r"prompt_record_p(\d{4})(0[1-9]|1[0-2])", re.ASCII)
_BEFORE = re.compile(r"prompt_record_before_\d{8}", re.ASCII)
_BOUND = re.compile(r"FOR VALUES FROM \('([0-9a-f-]{36})'\) TO \('([0-9a-f-]{36})'\)")
FIRST_MONTH = (2023 - 1970) * 12
"""The first month with a partition of its own; whatever ended earlier lies in one for all of that time."""


class RecordPartition(NamedTuple):
    """A partition and the event keys that it holds, as numbers: from `low` up to, without, `high`."""

    name: str
    low: int
    high: int
    is_being_detached: bool = False
    """Detaching was cut short: no query sees it any more, and it has to be finished."""

    @property
    def is_ours(self) -> bool:
        """Whether it was made here: what others attach is never dropped."""
        return is_partition_name(self.name)

    def holds(self, month: int) -> bool:
        """Whether records of the month lie in it, or would."""
        return self.low < month_floor(month + 1) and month_floor(month) < self.high


def partition_name(month: int) -> str:
    """The name of a month's partition, as in `prompt_record_p202611`.

    >>> partition_name(682)
    'prompt_record_p202611'
    """
    start = month_start(month)
    return f"prompt_record_p{start.year:04d}{start.month:02d}"


def month_of_name(name: str) -> int | None:
    """The month that a table is the partition of; None: it is no monthly partition, whatever its name begins with.

    >>> month_of_name("prompt_record_p202611"), month_of_name("prompt_record_archive")
    (682, None)
    """
    match = _NAME.fullmatch(name)
    return None if match is None else month_number(int(match[1]), int(match[2]))


def is_partition_name(name: str) -> bool:
    """Whether a table of this name was made here, of a month or of the time before.

    >>> is_partition_name("prompt_record_before_20230101"), is_partition_name("prompt_record_archive")
    (True, False)
    """
    return month_of_name(name) is not None or _BEFORE.fullmatch(name) is not None


def month_number(year: int, month: int) -> int:
    """Months from 1970-01 to the given one."""
    return (year - 1970) * 12 + month - 1


def month_of(instant: datetime) -> int:
    """The month (UTC) that an instant lies in."""
    moment = instant.astimezone(UTC)
    return month_number(moment.year, moment.month)


def month_start(month: int) -> datetime:
    """The first instant of a month."""
    year, index = divmod(month, 12)
    return datetime(1970 + year, index + 1, 1, tzinfo=UTC)


def month_floor(month: int) -> int:
    """The smallest event key of a month, as a number."""
    return key_floor(epoch_s(month_start(month)) * 1000).int


def missing_partition(month: int, there: Iterable[RecordPartition]) -> RecordPartition | None:
    """The partition to make so that the month's records have a place; None: they have one.

    Before `FIRST_MONTH` it is the whole gap between the partitions that are there, so that however many months are asked
    for, at most one more is made than there were.
    """
    there = list(there)
    low, high = month_floor(month), month_floor(month + 1)
    if any(other.holds(month) for other in there):
        return None
    if month >= FIRST_MONTH:
        return RecordPartition(partition_name(month), low, high)
    low = max((other.high for other in there if other.high <= low), default=0)
    high = min([other.low for other in there if other.low >= high] + [month_floor(FIRST_MONTH)])
    end = datetime.fromtimestamp((high >> 80) / 1000, UTC)
    return RecordPartition(f"prompt_record_before_{end:%Y%m%d}", low, high)


def partitions_there(connection: Connection) -> list[RecordPartition]:
    """All partitions in the order of their keys, those of others and those half detached included; no default one."""
    rows = connection.execute(
        text(
            "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid), i.inhdetachpending"
            " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = CAST('prompt_record' AS regclass)"
        )
    )
    found = []
    for name, bound, pending in rows:
        match = _BOUND.search(bound or "")
        if match is not None:
            found.append(RecordPartition(name, UUID(match[1]).int, UUID(match[2]).int, pending))
    return sorted(found, key=lambda partition: partition.low)


def existing_months(connection: Connection) -> list[int]:
    """The months that have a partition, in order. Other tables that were attached to `prompt_record` are left out."""
    months = (month_of_name(partition.name) for partition in partitions_there(connection))
    return sorted(month for month in months if month is not None)
