"""`rice-stream rebuild`: totals that differ from their records are put right, beside workers that commit.

First each part is recounted as `verify` does it, on a snapshot, which waits for nobody. Then what differs is corrected in
short transactions, each of one table and day; a run that is cut short leaves whole corrections behind, and the next goes on.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, select, text

from rice_stream.errors import UsageError
from rice_stream.instants import DAY_S, DAY_US, FOREVER_S, SECOND_US, epoch_us, in_utc, rfc3339
from rice_stream.proof.parts import Part, parts
from rice_stream.proof.verification import ReportProgress, quiet
from rice_stream.store import schema
from rice_stream.store.audit import Actor
from rice_stream.store.engine import StoreUnavailableError
from rice_stream.store.horizon import minutes_from_us, records_from_us
from rice_stream.store.recount import differing_days_sql
from rice_stream.store.revisions import head_revision
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import snapshot
from rice_stream.store.totals_repair import TENANTS_MAX, DifferingDay, correct_day
from rice_stream.store.totals_tables import TOTALS_TABLES, TotalsTable

ROWS_MAX = 20_000
"""Rows of one transaction, roughly: batches that add to the same rows wait for as long as these take to write."""
RETRY_S = 60.0
"""How long a transaction that could not get its rows, or lost its connection, is tried again."""
_PAUSE_FIRST_S, _PAUSE_MAX_S = 0.1, 5.0


class Stretch(NamedTuple):
    """Whole days of UTC in epoch seconds, the end not included, and the tenant; None: all tenants."""

    low_s: int
    high_s: int
    tenant_key: int | None
    kept_from_us: int
    """The horizon of retention; 0: all records are kept."""


@dataclass
class TableCounts:
    """Rows of one table: what was wrong with them before, and how many were put right."""

    missing: int = 0
    extra: int = 0
    differs: int = 0
    rows_rebuilt: int = 0

    def add(self, days: Sequence[DifferingDay]) -> None:
        """Rows that were found to differ."""
        for day in days:
            self.missing += day.missing
            self.extra += day.extra
            self.differs += day.differs


@dataclass
class Rebuild:
    """One run over a stretch: take all `steps`, then read `document`."""

    engine: Engine
    stretch: Stretch
    by: Actor
    dry_run: bool = False
    left: int = 0
    """Rows that differed still when their part was done: somebody else keeps changing them."""
    counts: dict[str, TableCounts] = field(
        default_factory=lambda: {table.name: TableCounts() for table in TOTALS_TABLES}
    )
    revision: str = field(default_factory=head_revision)

    def steps(self) -> Iterator[tuple[str, int, int]]:
        """(what, steps done, steps in all) before each piece of work; nothing is open while this waits to be asked for more."""
        with snapshot(self.engine, EVERYTHING) as connection:
            stretch = self.stretch
            all_parts = list(parts(connection, stretch.low_s, stretch.high_s, tenant_key=stretch.tenant_key))
        steps = len(all_parts) * len(TOTALS_TABLES)
        for step, (part, table) in enumerate((part, table) for part in all_parts for table in TOTALS_TABLES):
            yield f"recounting {table.name}", step, steps
            days = self._find(part, table)
            counts = self.counts[table.name]
            counts.add(days)
            if self.dry_run or not days:
                continue
            for day_s, tenant_keys in transactions(days):
                yield f"correcting {table.name}", step, steps
                counts.rows_rebuilt += self._correct(table, day_s, tenant_keys)
            self.left += sum(day.rows for day in self._find(part, table))
        yield "done", steps, steps

    def _find(self, part: Part, table: TotalsTable) -> list[DifferingDay]:
        with snapshot(self.engine, EVERYTHING) as connection:
            # Retention may have gone on since the beginning.
            kept_s = _first_kept_day_s(records_from_us(connection))
            part = part._replace(low_s=max(part.low_s, kept_s)).widened(table, kept_s)
            if part.low_s >= part.high_s:
                return []
            dialect = connection.dialect.name
            bounds = part.bounds(dialect, minutes_from_us(connection))
            found: dict[tuple[int, int], DifferingDay] = {}
            for corrections in (False, True) if table.tells_reported else (False,):
                statement = differing_days_sql(table, dialect, corrections=corrections)
                for row in connection.execute(text(statement), bounds).mappings():
                    day = DifferingDay(**row)
                    found[day.day_s, day.tenant_key] = day.with_(found.get((day.day_s, day.tenant_key)))
            return [found[key] for key in sorted(found)]

    def _correct(self, table: TotalsTable, day_s: int, tenant_keys: Sequence[int]) -> int:
        give_up_s = time.monotonic() + RETRY_S
        pause_s = _PAUSE_FIRST_S
        while True:
            try:
                return correct_day(self.engine, table, day_s, tenant_keys, revision=self.revision, by=self.by)
            except StoreUnavailableError:
                if time.monotonic() + pause_s > give_up_s:
                    raise
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_MAX_S)

    @property
    def document(self) -> dict[str, Any]:
        """The answer. `ok`: no total of the stretch differs (any more)."""
        rows = sum(counts.missing + counts.extra + counts.differs for counts in self.counts.values())
        stretch = self.stretch
        return {
            "ok": (rows if self.dry_run else self.left) == 0,
            "tables": [{"table": name, **vars(counts)} for name, counts in self.counts.items()],
            "rows_rebuilt": sum(counts.rows_rebuilt for counts in self.counts.values()),
            "differences_before": rows,
            "from": rfc3339(stretch.low_s * SECOND_US) if stretch.low_s else None,
            "to": rfc3339(stretch.high_s * SECOND_US) if stretch.high_s < FOREVER_S else None,
            "records_from": rfc3339(stretch.kept_from_us) if stretch.kept_from_us else None,
            "dry_run": self.dry_run,
        }


def rebuild(
    engine: Engine,
    progress: ReportProgress = quiet,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    tenant_id: str | None = None,
    dry_run: bool = False,
    by: Actor,
) -> dict[str, Any]:
    """Make all totals of a stretch (all time, all tenants unless said otherwise) what the records add up to.

    The stretch is widened to whole days of UTC, and for totals by the month to whole months, so that no total reaches beyond it.
    Totals from before the retention
    horizon stay as they are, their records being gone. With `dry_run` the differences are counted and nothing is changed.

    Returns:
        `{"ok", "tables": [{"table", "missing", "extra", "differs", "rows_rebuilt"}], "rows_rebuilt",
        "differences_before" (rows), "from", "to", "records_from" (the horizon), "dry_run"}`

    Raises:
        UsageError: there is no such tenant, or nothing in the stretch that could be recounted.
        SchemaChangedError: another version migrated the database meanwhile; what was corrected is right.
        StoreUnavailableError: the database stayed away, or somebody kept the rows locked, for RETRY_S.
    """
    run = Rebuild(engine, whole_days(engine, start, end, tenant_id), by, dry_run=dry_run)
    for what, done, total in run.steps():
        progress(what, done, total)
    return run.document


def whole_days(engine: Engine, start: datetime | None, end: datetime | None, tenant_id: str | None) -> Stretch:
    """The stretch to rebuild. UsageError: see `rebuild`."""
    with snapshot(engine, EVERYTHING) as connection:
        kept_from_us = records_from_us(connection)
        tenant = schema.tenant
        key = connection.scalar(select(tenant.c.tenant_key).where(tenant.c.tenant_id == tenant_id))
    if tenant_id is not None and key is None:
        raise UsageError(f"--tenant {tenant_id}: there is no such tenant; see `rice-stream tenant list`")
    low_s = 0 if start is None else max(epoch_us(in_utc(start)), 0) // DAY_US * DAY_S
    high_s = FOREVER_S if end is None else min(-(-epoch_us(in_utc(end)) // DAY_US) * DAY_S, FOREVER_S)
    if low_s >= high_s:
        raise UsageError("--from must be earlier than --to")
    first_kept_s = _first_kept_day_s(kept_from_us)
    if first_kept_s >= high_s:
        raise UsageError(
            f"records from before {rfc3339(kept_from_us)} have been dropped by retention: their totals stay as they are"
        )
    return Stretch(max(low_s, first_kept_s), high_s, key, kept_from_us)


def transactions(days: Sequence[DifferingDay]) -> Iterator[tuple[int, list[int]]]:
    """(day, tenants) of each transaction: as many tenants together as ROWS_MAX rows allow. `days` are in their order.

    >>> list(transactions([DifferingDay(0, 1, 5, 0, 0), DifferingDay(0, 2, 0, 0, 19_995), DifferingDay(0, 3, 1, 0, 0)]))
    [(0, [1, 2]), (0, [3])]
    """
    tenant_keys: list[int] = []
    day_s = rows = 0
    for day in days:
        if tenant_keys and (day.day_s != day_s or rows + day.rows > ROWS_MAX or len(tenant_keys) == TENANTS_MAX):
            yield day_s, tenant_keys
            tenant_keys, rows = [], 0
        day_s = day.day_s
        tenant_keys.append(day.tenant_key)
        rows += day.rows
    if tenant_keys:
        yield day_s, tenant_keys


def _first_kept_day_s(records_from: int) -> int:
    return -(-records_from // DAY_US) * DAY_S
