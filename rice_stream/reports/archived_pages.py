"""Pages of prompts whose records retention has dropped: the first ones beyond a position, from the files of all tenants."""

import heapq
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rice_stream.reports.archived_prompts import ArchivedPrompts
from rice_stream.reports.column_batches import ColumnBatch
from rice_stream.reports.prompt_columns import KnownKeys, columns_of
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.windows import bounds_us
from rice_stream.store.archive.kept import ArchivedFile, dropped_by_tenant
from rice_stream.store.archive.month_rows import RecordRows
from rice_stream.store.engine import Connection
from rice_stream.store.horizon import records_from_us
from rice_stream.store.scope import Scope


class PageAsked(NamedTuple):
    """Which prompts, in which order, after which one (its event key, and the key of its tenant), and how many at most."""

    asked: PromptFilter
    after: tuple[bytes, int] | None
    limit: int
    newest_first: bool

    def may_hold(self, file: ArchivedFile) -> bool:
        """Whether any record of a file comes after the position."""
        if self.after is None:
            return True
        return file.first_key <= self.after[0] if self.newest_first else file.last_key >= self.after[0]

    def is_full(self, found: Sequence[tuple[bytes, int]], file: ArchivedFile) -> bool:
        """Whether `limit` prompts are found (in their order) before which none of a file comes."""
        if len(found) < self.limit:
            return False
        last, _ = found[self.limit - 1]
        return file.last_key < last if self.newest_first else file.first_key > last


def archived_page(
    connection: Connection, scope: Scope, tenant_ids: dict[int, str], page: PageAsked, names: Sequence[str]
) -> list[tuple[Any, ...]]:
    """The first ones of tenants (their ids by key) in the archive: event key, tenant key, then the fields `names` of each.

    DamagedArchiveError: a file is not what was written.
    """
    low_us, high_us = bounds_us(page.asked.start, page.asked.end, page.asked.time_zone)
    bounds = low_us, min(high_us, records_from_us(connection))
    files = [
        (file, tenant_key)
        for tenant_key, of_tenant in dropped_by_tenant(connection, low_us, high_us).items()
        if tenant_key in tenant_ids
        for file in of_tenant
        if page.may_hold(file)
    ]
    # Those that begin the list first: what they hold is often a page.
    files.sort(key=lambda each: each[0].last_key if page.newest_first else each[0].first_key, reverse=page.newest_first)
    of_tenants: dict[int, ArchivedPrompts] = {}
    found: dict[tuple[bytes, int], tuple[RecordRows, int]] = {}
    first: list[tuple[bytes, int]] = []
    for file, tenant_key in files:
        if page.is_full(first, file):
            break
        if tenant_key not in of_tenants:
            of_tenants[tenant_key] = ArchivedPrompts(connection, scope, tenant_key, page.asked, bounds)
        after, includes = None, False
        if page.after is not None:
            after, last_tenant = page.after
            includes = tenant_key < last_tenant if page.newest_first else tenant_key > last_tenant
        rows = of_tenants[tenant_key].beyond(file, after, page.limit, includes=includes, backwards=page.newest_first)
        if rows is None:
            continue
        for place in range(len(rows)):
            found[rows.event_keys[place].tobytes(), tenant_key] = rows, place
        pick = heapq.nlargest if page.newest_first else heapq.nsmallest
        first = pick(page.limit, found)
        found = {key: found[key] for key in first}
    return _described(connection, scope, tenant_ids, found, names)


def _described(
    connection: Connection,
    scope: Scope,
    tenant_ids: dict[int, str],
    found: dict[tuple[bytes, int], tuple[RecordRows, int]],
    names: Sequence[str],
) -> list[tuple[Any, ...]]:
    """In the order of `found`."""
    if not found:
        return []
    rows = RecordRows.joined([records.select(np.array([place])) for records, place in found.values()])
    columns = columns_of(connection, scope, rows, tenant_ids, KnownKeys(connection.dialect.name))
    described = ColumnBatch([columns[name] for name in names])
    return [(*key, *values) for key, values in zip(found, described, strict=True)]
