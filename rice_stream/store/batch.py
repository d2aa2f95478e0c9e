"""What one transaction writes, as columns; and what came of it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.records import Refused
from rice_stream.meter.amounts import Totals, floor_to, roll_up
from rice_stream.quantities import UNKNOWN, Ints
from rice_stream.store.content import content_digest
from rice_stream.store.identity_rules import KnownRules
from rice_stream.store.record_columns import NULLABLE_COLUMNS, RECORD_COLUMNS, RECORDED_COLUMN, SOMETIMES_COLUMNS
from rice_stream.store.timed_stream import TimedStream
from rice_stream.store.totals_tables import TOTALS_TABLES, TotalsTable


class MadeAhead(NamedTuple):
    """What a transaction needs of exactly some records, made before it, so that it is shorter."""

    stream: TimedStream
    """The records, for COPY."""
    id_lists: Sequence[bytes]
    """What lists their ids (`event_id_lists`)."""
    watched: frozenset[tuple[int, int]]
    """Those who had totals of their own."""
    totals: Mapping[TotalsTable, Totals]
    """What the records add to totals, as long as these users are watched."""


@dataclass(frozen=True, slots=True)
class Records:
    """n prompt records, sorted by (tenant_key, event_key). `columns` holds (n,) integers, UNKNOWN (-1) for null."""

    event_keys: NDArray[np.uint8]
    """Shape (n, 16)."""
    columns: dict[str, Ints]
    event_ids: Sequence[bytes]
    """In UTF-8."""
    measures: Ints
    """Shape (n, len(MEASURES))."""
    untimed: NDArray[np.bool_]
    """Whether the event has no time of its own: its key begins with its day, and `ended_at_us` is not what it said."""
    said_attribution: Ints | None = None
    """The attribution that the events themselves said; None: that of `columns`, as no mapping charged any of them otherwise."""
    ahead: MadeAhead | None = None

    def __len__(self) -> int:
        return len(self.event_ids)

    def select(self, rows: NDArray[np.intp]) -> "Records":
        """The given rows, in the given order."""
        return Records(
            self.event_keys[rows],
            {name: column[rows] for name, column in self.columns.items()},
            [self.event_ids[i] for i in rows.tolist()],
            self.measures[rows],
            self.untimed[rows],
            None if self.said_attribution is None else self.said_attribution[rows],
        )

    def recorded_at(self, recorded_us: int) -> "Records":
        """The same, written at this instant."""
        return replace(self, columns={**self.columns, RECORDED_COLUMN: np.full(len(self), recorded_us, dtype=np.int64)})

    @property
    def sent_columns(self) -> tuple[str, ...]:
        """The columns that are written of these records, in their order."""
        return (*RECORD_COLUMNS, *(name for name in (*SOMETIMES_COLUMNS, RECORDED_COLUMN) if name in self.columns))

    @property
    def nullable_columns(self) -> tuple[str, ...]:
        """Those of them in which UNKNOWN stands for null."""
        return (*NULLABLE_COLUMNS, *(name for name in SOMETIMES_COLUMNS if name in self.columns))

    def said(self, name: str) -> Ints:
        """A column of content as the events themselves said it: UNKNOWN for the time of an event without one."""
        if name == "attribution_key" and self.said_attribution is not None:
            return self.said_attribution
        column = self.columns[name]
        return np.where(self.untimed, UNKNOWN, column) if name == "ended_at_us" and self.untimed.any() else column


class AddedUp(Protocol):
    """Rows whose amounts are added to totals: records, or entries that correct them."""

    @property
    def columns(self) -> Mapping[str, Ints]:
        """When, whose and what they rest on: (n,) integers, UNKNOWN (-1) for null."""

    @property
    def measures(self) -> Ints:
        """Shape (n, len(MEASURES))."""


def totals_of(records: AddedUp, watched: Collection[tuple[int, int]]) -> dict[TotalsTable, Totals]:
    """What the records add to each totals table, in the order in which writers add to them.

    `watched` are the (tenant_key, user_key) that have totals of their own.
    """
    totals: dict[TotalsTable, Totals] = {}
    for table in TOTALS_TABLES:
        if table.finer is not None:
            totals[table] = _coarser(totals[table.finer], table.finer, table)
        else:
            totals[table] = _rolled_up(records, table, watched)
    return totals


def _rolled_up(records: AddedUp, table: TotalsTable, watched: Collection[tuple[int, int]]) -> Totals:
    columns = [records.columns[name] for name in ("tenant_key", "ended_at_us", *table.dimensions)]
    measures = records.measures
    if table.watched_only:
        rows = _watched_rows(records, watched)
        columns, measures = [column[rows] for column in columns], measures[rows]
    tenant, ended_at_us, *dimensions = columns
    return roll_up([tenant, floor_to(ended_at_us, table.bucket_s), *dimensions], measures)


def _coarser(totals: Totals, finer: TotalsTable, table: TotalsTable) -> Totals:
    """The same sums by longer buckets; the second key is when."""
    keys = dict(zip(finer.key_columns, totals.keys.T, strict=True))
    start_s = keys[finer.start]
    bucket_s = month_starts_s(start_s) if table.by_month else start_s - start_s % table.bucket_s
    return roll_up([keys["tenant_key"], bucket_s, *(keys[name] for name in table.dimensions)], totals.sums)


def month_starts_s(times_s: Ints) -> Ints:
    """Start of the month of UTC that each time lies in, in epoch seconds.

    >>> month_starts_s(np.array([1_796_083_200])).tolist()
    [1793491200]
    """
    return times_s.astype("M8[s]").astype("M8[M]").astype("M8[s]").astype(np.int64)


def _watched_rows(records: AddedUp, watched: Collection[tuple[int, int]]) -> NDArray[np.intp]:
    if not watched:
        return np.empty(0, dtype=np.intp)
    tenant, user = records.columns["tenant_key"], records.columns["user_key"]
    pairs = np.array(sorted(watched), dtype=np.int64)
    return np.flatnonzero(np.isin((tenant << 32) | np.maximum(user, 0), (pairs[:, 0] << 32) | pairs[:, 1]))


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """How far one partition has been read: the proof that no offset was left out."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int
    events: int
    quarantined: int
    gaps: int = 0
    records_taken: int = 0
    """Records of the log with at least one event; not stored."""
    records_refused: int = 0
    """Records of the log with refused items and no event; not stored."""
    older_than_retention: int = 0
    """Events from before the retention horizon: only counted, and none of `events`."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """An event that came again with other content: the first record stays, this says what differed."""

    tenant_key: int
    event_key: bytes
    event_id: str
    detail: str
    partition: int
    """Position in `Batch.progress`."""

    @property
    def digest(self) -> bytes:
        """Equal for the same other content, so that a re-delivery is not kept twice."""
        return content_digest(self.detail)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Events that repeat an earlier one of the same batch, and are not among its records."""

    count: NDArray[np.int64]
    """By partition (position in `Batch.progress`), those that say something else included."""
    others: Records
    """Those that say something else than the first of the batch, which may itself be the one that contradicts the store."""
    partition_of_others: NDArray[np.intp]
    """Position in `Batch.progress`, shape (len(others),)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one transaction writes. `records` holds each key once.

    `partition_of[i]` is the position in `progress` of the partition that record i came from.
    """

    records: Records
    refused: list[Refused]
    progress: list[PartitionProgress]
    partition_of: NDArray[np.intp]
    repeats: Repeats
    received_at_us: int
    ignored: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(source format, reason) -> items that are no requests to a model: only counted."""
    rungs: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(factor, rung of its ladder) -> records that rest on it, repeats of earlier batches included: only counted."""
    contexts: int = 0
    """Kinds of requests that were known when the batch was prepared."""
    rules: KnownRules | None = None
    """What the keys rest on besides the events; None: nothing that others can change."""

    @property
    def items(self) -> int:
        """Events (repeats included) and refused items that are kept one by one: what the transaction is made of."""
        return sum(part.events for part in self.progress) + len(self.refused)


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What one transaction did with the events it was given.

    `recorded + duplicates + conflicts + older_than_retention` are all events.
    """

    recorded: int
    duplicates: int
    conflicts: int
    quarantined: int
    tenants: frozenset[int]
    """Tenants whose totals changed."""
    sums: dict[str, int]
    """What the newly recorded prompts add up to, by measure."""
    older_than_retention: int = 0
    """Events from before the retention horizon: whether they were counted can no longer be told, so they are not."""
    recorded_keys: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 16), dtype=np.uint8), compare=False)
    """Event keys of the newly recorded prompts, shape (recorded, 16)."""
