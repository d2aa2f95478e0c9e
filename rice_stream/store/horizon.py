"""The horizon of retention: from when on records are kept.

Apart from `retention`, which drops records: a report asks for the horizon, and need not load every table for it.
"""

from sqlalchemy import Connection, func, select

from rice_stream.store.schema_intake import retention


def records_from_us(connection: Connection) -> int:
    """Records that ended before this instant have been dropped; 0: none have."""
    return connection.scalar(select(func.max(retention.c.records_from_us))) or 0


def minutes_from_us(connection: Connection) -> int:
    """Before this instant a row of `minute_total` may stand for a quarter hour; 0: none does."""
    return connection.scalar(select(func.max(retention.c.minutes_from_us))) or 0
