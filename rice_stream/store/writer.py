"""The one transaction of a batch, step by step; `postgres.py` and `sqlite.py` know how each step is said."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.refused_items import count_items
from rice_stream.meter.amounts import Totals, exact_sums
from rice_stream.quantities import MEASURES, Ints
from rice_stream.store.batch import Batch, CommitResult, Conflict, Records, Repeats, totals_of
from rice_stream.store.batch_rows import progress_row
from rice_stream.store.closed_months import ClosedMonth, late_groups
from rice_stream.store.content import content_text
from rice_stream.store.engine import StoreUnavailableError
from rice_stream.store.entries import EntryGroup
from rice_stream.store.identity_rules import KnownRules
from rice_stream.store.recent_keys import RecentKeys
from rice_stream.store.record_columns import CONTENT_COLUMNS
from rice_stream.store.retained import retained
from rice_stream.store.revisions import head_revision
from rice_stream.store.totals_tables import MINUTES, TotalsTable
from rice_stream.store.untimed import without_known_on_other_days

_PROBE_AFTER_DUPLICATES = 16
"""Batches that look for all of their keys first, after one that met a known key not written lately: re-deliveries come in runs."""
_RACES_MAX = 5
"""Times that another worker may write the same keys between our look and our insert before we give up."""


class KnownKeyError(Exception):
    """Some key of the records is in the table already; the insert left nothing behind."""


class LedgerStanding(NamedTuple):
    """Where the ledger stands when a batch is written."""

    horizon_us: int
    """Before it, records are dropped; 0: there is none."""
    now_us: int
    """By the database's clock."""
    closed_before_us: int
    """No closed month reaches beyond it; 0: there is none."""


class Writer(ABC):
    """Writes batches, one transaction each. Not for use by several threads at once."""

    def __init__(self) -> None:
        self._probe_first = 0
        self._recent = RecentKeys()
        self._all_new = True
        """Whether all records of the last batch were."""
        self._watched: frozenset[tuple[int, int]] = frozenset()
        """Whose totals were kept at the last batch."""
        self._revision = head_revision()

    def made_ready(self, records: Records) -> Records:
        """With what can be made of them before their transaction. Any thread may ask, at any time."""
        return records

    def commit(self, batch: Batch) -> CommitResult:
        """Store the batch or nothing of it. StoreUnavailableError: not stored (or not known to be); safe to repeat.

        RulesChangedError: not stored; it has to be prepared again. SchemaChangedError: another version has migrated the
        database meanwhile; nothing was stored.
        """
        with self._transaction():
            # 0. Whose user totals are kept; nobody can be added to them, nor the schema change, until this transaction ends.
            #    It comes first: whoever has this lock is in no migration's way later on.
            watched = self._watched = frozenset(self._watched_users())
            # The keys rest on rules that still hold, and hold until this transaction ends.
            if batch.rules is not None:
                ended_at_us = batch.records.columns["ended_at_us"]
                self._check_rules(batch.rules, int(ended_at_us.max(initial=0)))
            # What retention has dropped meanwhile is not recorded again; it drops nothing more until this ends.
            standing = self._standing()
            batch = retained(batch, standing.horizon_us)
            # 1. Prompt records: each key once. What is known already is a duplicate or a conflict.
            batch = without_known_on_other_days(batch, self._hold_days, self._stored)
            new, conflicts = self._insert_records(batch, standing.now_us)
            # 2. Totals: exactly the new records' sums, in key order.
            added = _rows(batch.records, np.flatnonzero(new))
            ahead = added.ahead
            if ahead is not None and ahead.watched == watched:
                totals = ahead.totals
            else:
                totals = totals_of(added, watched)
            self._add_totals(totals)
            # What came after its month was closed is in records and totals, and beside what was reported of the month.
            self._post_late(added, standing)
            # 3. What was refused, and what contradicted an earlier record.
            self._insert_quarantine(batch)
            conflicts = self._conflicts_within_batch(batch.repeats) + conflicts
            self._insert_conflicts(conflicts, batch)
            # 4. How far each partition has been read.
            result, rows = _summary(batch, new, conflicts, totals[MINUTES])
            self._save_progress(rows, batch.received_at_us)
        self._recent.add(result.recorded_keys)
        self._all_new = result.recorded == len(batch.records)
        return result

    def _post_late(self, added: Records, standing: LedgerStanding) -> None:
        ended_at_us = added.columns["ended_at_us"]
        early = np.flatnonzero(ended_at_us < standing.closed_before_us)
        if not early.size:
            return
        tenant_keys = np.unique(added.columns["tenant_key"][early]).tolist()
        for group in late_groups(added, self._closed_months(tenant_keys, int(ended_at_us.min()))):
            self._post(group, standing.now_us)

    def _insert_records(self, batch: Batch, now_us: int) -> tuple[NDArray[np.bool_], list[Conflict]]:
        records = batch.records
        repeated = self._recent.rows_of(records.event_keys)
        for _ in range(_RACES_MAX):
            new = np.ones(len(records), dtype=np.bool_)
            known = differing = np.empty(0, dtype=np.intp)
            looked_for = np.arange(len(records)) if self._probe_first else repeated
            if looked_for.size:
                known, differing = self._probe(_rows(records, looked_for))
                known, differing = looked_for[known], looked_for[differing]
                new[known] = False
            if self._probe_first:
                foreseen = np.isin(known, repeated).all()
                self._probe_first = self._probe_first - 1 if foreseen else _PROBE_AFTER_DUPLICATES
            chosen = _rows(records, np.flatnonzero(new))
            try:
                if len(chosen):
                    self._insert(chosen.recorded_at(now_us))
            except KnownKeyError:
                self._probe_first = _PROBE_AFTER_DUPLICATES
                continue
            return new, _conflicts(records, batch.partition_of, differing)
        raise StoreUnavailableError("other workers keep writing the same events; are two groups reading one topic?")

    def _conflicts_within_batch(self, repeats: Repeats) -> list[Conflict]:
        """The contradictions within the batch that contradict the store as well.

        Where the store knew the key, what contradicts the first of the batch may be what the store holds: a repeat.
        """
        if not len(repeats.others):
            return []
        _, differing = self._probe(repeats.others)
        return _conflicts(repeats.others, repeats.partition_of_others, differing)

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Any]:
        """Commit on success, roll back on any exception; database failures come out as StoreUnavailableError."""

    @abstractmethod
    def _check_rules(self, rules: KnownRules, latest_end_us: int) -> None:
        """Hold the rules until this transaction has ended. RulesChangedError: others hold for events up to then."""

    @abstractmethod
    def _watched_users(self) -> set[tuple[int, int]]:
        """(tenant_key, user_key) of all watched users; adding one waits until this transaction has ended, and so does a
        migration. SchemaChangedError: one came before it."""

    @abstractmethod
    def _standing(self) -> LedgerStanding:
        """Where the ledger stands: horizon and closed months wait to be moved until this transaction has ended."""

    @abstractmethod
    def _closed_months(self, tenant_keys: list[int], earliest_us: int) -> list[ClosedMonth]:
        """The months of these tenants that are closed and reach beyond `earliest_us`."""

    @abstractmethod
    def _post(self, group: EntryGroup, now_us: int) -> None:
        """Write a group of entries that adds nothing to totals."""

    @abstractmethod
    def _insert(self, records: Records) -> None:
        """All or none of the records; KnownKeyError when a key is in the table."""

    @abstractmethod
    def _probe(self, records: Records) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(rows whose key is known, those of them whose content differs from the stored)."""

    @abstractmethod
    def _hold_days(self, *, even: bool, odd: bool) -> None:
        """Until the transaction ends, let no other one hold days of the other kind (numbered from 1970-01-01)."""

    @abstractmethod
    def _stored(self, tenant_keys: Ints, event_keys: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which of these keys, shapes (n,) and (n, 16), the records hold."""

    @abstractmethod
    def _add_totals(self, totals: Mapping[TotalsTable, Totals]) -> None:
        """Add the sums to the rows of their keys, table by table in this order, making rows that are not there."""

    @abstractmethod
    def _insert_quarantine(self, batch: Batch) -> None:
        """Keep the refused items; one that is kept already (a re-delivery) stays as it is."""

    @abstractmethod
    def _insert_conflicts(self, conflicts: Sequence[Conflict], batch: Batch) -> None:
        """Keep the conflicts; one that is kept already stays as it is."""

    @abstractmethod
    def _save_progress(self, rows: list[dict[str, Any]], committed_at_us: int) -> None:
        """Add to the counters of each partition and move its last offset forward."""

    @abstractmethod
    def ensure_partitions(self, ended_at_us: NDArray[np.int64]) -> None:
        """Make room for records of these times, outside the batch's transaction."""

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""


def _rows(records: Records, rows: NDArray[np.intp]) -> Records:
    """These rows of the records: nearly always all."""
    return records if len(rows) == len(records) else records.select(rows)


def _conflicts(records: Records, partition_of: NDArray[np.intp], rows: NDArray[np.intp]) -> list[Conflict]:
    said = {name: records.said(name) for name in CONTENT_COLUMNS} if len(rows) else {}
    return [
        Conflict(
            tenant_key=int(records.columns["tenant_key"][row]),
            event_key=records.event_keys[row].tobytes(),
            event_id=records.event_ids[row].decode(),
            detail=content_text({name: int(said[name][row]) for name in CONTENT_COLUMNS}),
            partition=int(partition_of[row]),
        )
        for row in rows.tolist()
    ]


def _summary(
    batch: Batch, new: NDArray[np.bool_], conflicts: list[Conflict], added: Totals
) -> tuple[CommitResult, list[dict[str, Any]]]:
    partitions = len(batch.progress)
    recorded = np.bincount(batch.partition_of[new], minlength=partitions)
    known = np.bincount(batch.partition_of[~new], minlength=partitions) + batch.repeats.count
    conflicting = np.bincount(np.array([c.partition for c in conflicts], dtype=np.intp), minlength=partitions)
    duplicates = known - conflicting
    rows = [
        progress_row(progress, int(recorded[i]), int(duplicates[i]), int(conflicting[i]))
        for i, progress in enumerate(batch.progress)
    ]
    tenants = np.unique(batch.records.columns["tenant_key"][new])
    result = CommitResult(
        recorded=int(recorded.sum()),
        duplicates=int(duplicates.sum()),
        conflicts=int(conflicting.sum()),
        quarantined=count_items(batch.refused),
        older_than_retention=sum(progress.older_than_retention for progress in batch.progress),
        tenants=frozenset(tenants.tolist()),
        sums=dict(zip(MEASURES, exact_sums(added.sums), strict=True)),
        recorded_keys=batch.records.event_keys if new.all() else batch.records.event_keys[new],
    )
    return result, rows
