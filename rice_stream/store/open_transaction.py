"""A transaction that batches are written in, one after the other, and what became of each."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.refused_items import count_items
from rice_stream.meter.amounts import Totals, exact_sums
from rice_stream.quantities import MEASURES
from rice_stream.store.batch import Batch, CommitResult, Conflict, Records
from rice_stream.store.batch_rows import progress_row
from rice_stream.store.content import content_text
from rice_stream.store.record_columns import CONTENT_COLUMNS
from rice_stream.store.totals_tables import MINUTES, TotalsTable


class LedgerStanding(NamedTuple):
    """Where the ledger stands when a batch is written."""

    horizon_us: int
    """Before it, records are dropped; 0: there is none."""
    now_us: int
    """By the database's clock."""
    closed_before_us: int
    """No closed month reaches beyond it; 0: there is none."""


class WrittenBatch(NamedTuple):
    """A batch whose records are written, and what is still to be done of it."""

    batch: Batch
    new: NDArray[np.bool_]
    """Which of its records were not known."""
    conflicts: list[Conflict]
    totals: Mapping[TotalsTable, Totals]
    """What the new ones add."""


@dataclass(slots=True)
class OpenTransaction:
    """A transaction, and the batches that are written in it."""

    transaction: AbstractContextManager[Any]
    watched: frozenset[tuple[int, int]] = frozenset()
    """Those who have totals of their own."""
    standing: LedgerStanding | None = None
    written: list[WrittenBatch] = field(default_factory=list)


def rows_of(records: Records, rows: NDArray[np.intp]) -> Records:
    """These rows of the records: nearly always all."""
    return records if len(rows) == len(records) else records.select(rows)


def conflicts_of(records: Records, partition_of: NDArray[np.intp], rows: NDArray[np.intp]) -> list[Conflict]:
    """What these rows contradict, each of the partition that it came from."""
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


def summary(written: WrittenBatch, conflicts: list[Conflict]) -> tuple[CommitResult, list[dict[str, Any]]]:
    """What became of a batch with these conflicts, and its rows of `kafka_progress`."""
    batch, new = written.batch, written.new
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
        sums=dict(zip(MEASURES, exact_sums(written.totals[MINUTES].sums), strict=True)),
        recorded_keys=batch.records.event_keys if new.all() else batch.records.event_keys[new],
    )
    return result, rows
