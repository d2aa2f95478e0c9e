"""Keeping the lists of event ids few: many small ones of a bucket become one, or one for each bucket in it.

Each id moves down some levels in all its time, as in a tree that takes in what comes by the batch. Readers see the lists before or
those after, as it is one transaction; cut short at any point, nothing has happened.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, text

from rice_stream.store.advisory_locks import AdvisoryLock
from rice_stream.store.engine import batch_failure, reading, writing
from rice_stream.store.event_id_lists import (
    LISTED_MAX,
    SPLIT_BITS,
    SPLITS_MAX,
    copy_lists,
    distinct,
    list_rows,
    read_listed,
)

MERGED_FROM, STAGGERED = 12, 8
"""Lists of one bucket that are merged, of the next bucket one more and so on: whoever looks for an id reads all of them. Buckets
fill up evenly; merged all at once, their lists would take the room of twice as many."""
_SPLIT_FROM = (1 << SPLIT_BITS) * LISTED_MAX * 3 // 8
"""Tags of one bucket that go down a level: where they come to lie they are no small lists."""
_BUCKETS_AT_ONCE = 64
"""Of one transaction: their tags are in memory, some hundred thousand."""


class _Bucket(NamedTuple):
    splits: int
    bucket: int
    month: int
    lists: int


def merge_event_ids(engine: Engine, *, is_over: Callable[[], bool] = lambda: False) -> int:
    """Merge until no bucket has too many lists, or it `is_over`; returns how many lists were merged. Nothing on SQLite, and while
    another worker is at it. StoreUnavailableError: the database did not take it; it may be tried again."""
    if engine.dialect.name != "postgresql":
        return 0
    merged = 0
    while some := _merge_some(engine, is_over):
        merged += some
    return merged


def _merge_some(engine: Engine, is_over: Callable[[], bool]) -> int:
    """What has to be merged by now."""
    with reading(engine) as connection:
        full = [_Bucket(*row) for row in connection.execute(text(_FULL))]
    merged = 0
    for splits, month, buckets in _together(full):
        if is_over():
            return 0
        with writing(engine) as connection:
            if not connection.scalar(text(f"SELECT pg_try_advisory_xact_lock({int(AdvisoryLock.MERGE_EVENT_IDS)})")):
                return 0
            merged += _merge(connection, splits, month, buckets)
    return merged


_FULL = f"""
SELECT splits, bucket, month, COUNT(*) FROM event_id_list
WHERE splits < {SPLITS_MAX}
GROUP BY 1, 2, 3 HAVING COUNT(*) >= {MERGED_FROM} + bucket % {STAGGERED}
ORDER BY 1, 3, 2"""
"""From the index alone. Not at the last depth: many ids of one tag, as somebody may make them, stay as many lists as they fill."""


def _together(full: list[_Bucket]) -> Iterator[tuple[int, int, list[int]]]:
    """Depth, month and some buckets of it."""
    by_depth: dict[tuple[int, int], list[int]] = {}
    for each in full:
        by_depth.setdefault((each.splits, each.month), []).append(each.bucket)
    for (splits, month), buckets in by_depth.items():
        for start in range(0, len(buckets), _BUCKETS_AT_ONCE):
            yield splits, month, buckets[start : start + _BUCKETS_AT_ONCE]


def _merge(connection: Connection, splits: int, month: int, buckets: list[int]) -> int:
    import psycopg

    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor(binary=True) as cursor:
            cursor.execute(
                "DELETE FROM event_id_list WHERE splits = %s AND month = %s AND bucket = ANY(%s)"
                " RETURNING bucket, array_send(tags), array_send(places)",
                (splits, month, buckets),
            )
            by_bucket: dict[int, list[tuple[bytes, bytes]]] = {}
            for bucket, tags, places in cursor:
                by_bucket.setdefault(bucket, []).append((tags, places))
            rows: list[bytes] = []
            for arrays in by_bucket.values():
                listed = distinct(read_listed(*zip(*arrays, strict=True)))
                goes_down = len(listed.tags) >= _SPLIT_FROM and splits < SPLITS_MAX
                rows += list_rows(month, listed, splits + SPLIT_BITS if goes_down else splits)
            copy_lists(cursor, rows)
    except psycopg.Error as error:
        raise batch_failure("the database did not merge lists of event ids", error) from error
    return sum(map(len, by_bucket.values()))
