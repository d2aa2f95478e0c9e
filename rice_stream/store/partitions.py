"""The monthly partitions of `prompt_record` on PostgreSQL: their names, their bounds, and which there are.

A month is counted from 1970-01. Event keys begin with the event's time, so a month is a range of keys.
"""

import re
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from rice_stream.instants import epoch_s
from rice_stream.store.event_key_columns import key_floor

_NAME = re.compile(r"prompt_record_p(\d{4})(0[1-9]|1[0-2])", re.ASCII)


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


def month_number(year: int, month: int) -> int:
    """Months from 1970-01 to the given one."""
    return (year - 1970) * 12 + month - 1


def month_start(month: int) -> datetime:
    """The first instant of a month."""
    year, index = divmod(month, 12)
    return datetime(1970 + year, index + 1, 1, tzinfo=UTC)


def create_statement(month: int) -> str:
    """CREATE TABLE for a month's partition; where it is there already, nothing changes."""
    low, high = (key_floor(epoch_s(month_start(month + k)) * 1000) for k in (0, 1))
    return (
        f"CREATE TABLE IF NOT EXISTS {partition_name(month)} PARTITION OF prompt_record"
        f" FOR VALUES FROM ('{low}') TO ('{high}')"
    )


def existing_months(connection: Connection) -> list[int]:
    """The months that have a partition, in order. Other tables that were attached to `prompt_record` are left out."""
    names = connection.scalars(
        text(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = CAST('prompt_record' AS regclass)"
        )
    )
    return sorted(month for name in names if (month := month_of_name(name)) is not None)
