"""Posting corrections: a group of entries and what it changes in the totals are one transaction, as records and theirs are.

Totals hold what was recorded and everything that was corrected since, and beside it what of that the corrections are: taking these
away gives what was reported. A group is known by the digest of its cause: posted again, it changes nothing.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, text

from rice_stream.instants import SECOND_US, SLOT_S
from rice_stream.meter.amounts import Totals, roll_up
from rice_stream.store import schema
from rice_stream.store.added_totals import copy_to_totals, insert_to_totals
from rice_stream.store.advisory_locks import AdvisoryLock, hold
from rice_stream.store.batch import totals_of
from rice_stream.store.closed_months import closed_before_us, closed_months, names_of
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import correcting
from rice_stream.store.entries import Entries, EntryGroup
from rice_stream.store.entry_stream import EntryStream
from rice_stream.store.group_rows import copy_entries, group_row, insert_entries
from rice_stream.store.horizon import minutes_from_us
from rice_stream.store.prepared import run_plain
from rice_stream.store.ready_groups import ReadyGroups, watched_users
from rice_stream.store.revisions import require_revision
from rice_stream.store.scratch import added_table, make_scratch_sql
from rice_stream.store.statements import insert_ignoring
from rice_stream.store.totals_tables import MINUTES, TotalsTable


@contextmanager
def posting(engine: Engine, *, revision: str | None = None) -> Iterator[Connection]:
    """A transaction that posts corrections: one at a time, so that what one finds to correct is what it corrects.

    Batches go on beside it; what it locks, it locks in their order. SchemaChangedError: the schema is not the `revision`.
    NotStorableError: a total has no room for it, and nothing is posted.
    """
    with correcting(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"))
            hold(connection, AdvisoryLock.POST_CORRECTIONS)
            # As a batch does: nobody is added to the watched users meanwhile, no schema changes, no record is dropped.
            connection.execute(text("LOCK TABLE watched_user IN ROW SHARE MODE"))
            connection.execute(text("LOCK TABLE retention IN ROW SHARE MODE"))
        if revision is not None:
            require_revision(connection, revision)
        yield connection


def post(connection: Connection, group: EntryGroup) -> int | None:
    """Post a group within a transaction of `posting`; its `adjustment_key`, or None: its cause was posted before."""
    return post_all(connection, [group])[0]


def post_all(connection: Connection, groups: Sequence[EntryGroup]) -> list[int | None]:
    """Post groups as `post` does; the key of each, in their order."""
    return post_ready(connection, ReadyGroups(groups))


def post_ready(connection: Connection, ready: ReadyGroups) -> list[int | None]:
    """As `post_all`, of groups of which some is worked out already.

    Totals are added to once and last: from then on batches that add to the same rows wait until the transaction ends.
    """
    if not ready.groups:
        return []
    now_us, closed_us = database_now_us(connection), closed_before_us(connection)
    keys = _insert_groups(
        connection, [_naming_closed_months(connection, each, closed_us) for each in ready.groups], now_us
    )
    posted = [(key, group) for key, group in zip(keys, ready.groups, strict=True) if key is not None]
    is_whole = len(posted) == len(keys)
    _insert_lines(connection, posted, ready.stream if is_whole else None, now_us)
    counted = [group.entries for _, group in posted if group.counted and len(group.entries)]
    if counted:
        watched = watched_users(connection)
        if is_whole and ready.totals is not None and ready.totals.watched == watched:
            totals = dict(ready.totals.totals)
        else:
            totals = totals_of(counted[0] if len(counted) == 1 else Entries.joined(*counted), watched)
        totals[MINUTES] = _by_folded_minutes(totals[MINUTES], minutes_from_us(connection))
        _add_to_totals(connection, totals)
    return keys


def insert_group(connection: Connection, group: EntryGroup, now_us: int) -> int | None:
    """Write a group without its lines; its `adjustment_key`, or None: its cause was posted before."""
    [key] = _insert_groups(connection, [group], now_us)
    return key


def _insert_groups(connection: Connection, groups: Sequence[EntryGroup], now_us: int) -> list[int | None]:
    """As `insert_group`, of several at once."""
    table, dialect = schema.adjustment, connection.dialect.name
    inserted = insert_ignoring(table, dialect).returning(table.c.digest, table.c.adjustment_key)
    rows = [group_row(group, dialect, now_us) for group in groups]
    key_of: dict[bytes, int] = {bytes(row.digest): row.adjustment_key for row in connection.execute(inserted, rows)}
    # Of a cause that is there twice, the first one is posted.
    return [key_of.pop(row["digest"], None) for row in rows]


def _insert_lines(
    connection: Connection, posted: Sequence[tuple[int, EntryGroup]], stream: EntryStream | None, now_us: int
) -> None:
    if connection.dialect.name != "postgresql":
        for key, group in posted:
            if len(group.entries):
                insert_entries(connection, key, group, now_us)
        return
    if not any(len(group.entries) for _, group in posted):
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        keys, groups = zip(*posted, strict=True)
        copy_entries(cursor, keys, stream or EntryStream(groups), now_us)


def _naming_closed_months(connection: Connection, group: EntryGroup, closed_before_us: int) -> EntryGroup:
    """The group with the closed months that it corrects in its detail: nothing of these is changed, but something is added."""
    ended_at_us = group.entries.columns["ended_at_us"]
    if not len(ended_at_us) or int(ended_at_us.min()) >= closed_before_us:
        return group
    months = closed_months(connection, [group.tenant_key], int(ended_at_us.min()))
    names = names_of(months, group.tenant_key, ended_at_us)
    return replace(group, detail={**group.detail, "closed_months": names}) if names else group


def _by_folded_minutes(minutes: Totals, folded_before_us: int) -> Totals:
    """Of minutes that are quarter hours by now, those: no minute is made again among them."""
    tenant, start_s = minutes.keys.T
    old = start_s < folded_before_us // SECOND_US
    return roll_up([tenant, np.where(old, start_s - start_s % SLOT_S, start_s)], minutes.sums) if old.any() else minutes


def _add_to_totals(connection: Connection, totals: dict[TotalsTable, Totals]) -> None:
    if connection.dialect.name != "postgresql":
        for table, sums in totals.items():
            insert_to_totals(connection, table, sums, corrects=True)
        return
    run_plain(connection, make_scratch_sql())
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        copy_to_totals(cursor, totals, corrects=True)
        cursor.execute(f"TRUNCATE {added_table()}")  # others may be posted in this transaction
