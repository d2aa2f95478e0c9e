"""Work on many rows, some at a time: each part in a transaction of its own, so that nobody waits for long."""

from collections.abc import Callable

from sqlalchemy import Connection, Engine

from rice_stream.store.engine import writing

ROWS_AT_ONCE = 5_000
"""Rows of one part; on SQLite everybody else who writes waits meanwhile."""


def in_parts(engine: Engine, part: Callable[[Connection, int], int]) -> int:
    """Do a part after the other until one finds fewer rows than it may take; returns how many there were in all.

    `part` takes as many rows as it is given at most, and returns how many it found.
    """
    rows = 0
    took = at_once = ROWS_AT_ONCE
    while took == at_once:
        with writing(engine) as connection:
            took = part(connection, at_once)
        rows += took
    return rows
