"""Groups of entries, with what is worked out of their lines before they are posted: while others are, and nothing waits for it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from rice_stream.meter.amounts import Totals
from rice_stream.store.batch import totals_of
from rice_stream.store.entries import Entries, EntryGroup
from rice_stream.store.entry_stream import EntryStream
from rice_stream.store.totals_tables import TotalsTable

Watched = frozenset[tuple[int, int]]
"""`tenant_key` and `user_key` of those who have totals of their own."""


class ReadyTotals(NamedTuple):
    """What the lines of groups add to totals, where these users are watched and all of the groups are posted."""

    watched: Watched
    totals: Mapping[TotalsTable, Totals]


class ReadyGroups(NamedTuple):
    """Groups that are posted together; what has not been worked out before is when they are."""

    groups: Sequence[EntryGroup]
    stream: EntryStream | None = None
    """Of the lines of all of them, on PostgreSQL."""
    totals: ReadyTotals | None = None


def made_ready(groups: Sequence[EntryGroup], net: Sequence[Entries], watched: Watched, dialect: str) -> ReadyGroups:
    """Groups, all of them `counted`, whose lines add up to the same as those of `net`."""
    if not groups:
        return ReadyGroups(groups)
    for group in groups:
        _ = group.sums  # worked out once, and kept
    stream = EntryStream(groups) if dialect == "postgresql" else None
    return ReadyGroups(groups, stream, ReadyTotals(watched, totals_of(Entries.joined(*net), watched)))


def watched_users(connection: Connection) -> Watched:
    """Those of now."""
    rows = connection.execute(text("SELECT tenant_key, user_key FROM watched_user"))
    return frozenset((tenant_key, user_key) for tenant_key, user_key in rows)
