"""What one transaction writes, as columns; and what came of it."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.records import Rejection
from rice_stream.instants import DAY_S, MINUTE_S, SLOT_S
from rice_stream.meter.amounts import Totals, floor_to, roll_up
from rice_stream.quantities import IMPACT_COLUMNS, Ints

KEY_COLUMNS = ("tenant_key", "attribution_key", "factor_key", "basis_flags")
AMOUNT_COLUMNS = (
    "ended_at_us",
    "it_energy_uwh",
    "facility_energy_uwh",
    "carbon_low_ugco2e",
    "carbon_mid_ugco2e",
    "carbon_high_ugco2e",
)
NULLABLE_COLUMNS = (
    "user_key",
    "api_key_key",
    "duration_us",
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    *IMPACT_COLUMNS,
)
RECORD_COLUMNS = (*KEY_COLUMNS, "event_key", *AMOUNT_COLUMNS, *NULLABLE_COLUMNS, "event_id")
"""The columns that are written for each prompt, in the order in which every writer sends them."""
CONTENT_COLUMNS = (
    "ended_at_us",
    "attribution_key",
    "user_key",
    "api_key_key",
    *NULLABLE_COLUMNS[2 : -len(IMPACT_COLUMNS)],
)
"""What the event itself said (not what was estimated from it): the same key with other content is a conflict.

`factor_key` is left out: the same event estimated after a change of tables or settings is still the same event.
"""


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

    def __len__(self) -> int:
        return len(self.event_ids)

    def select(self, rows: NDArray[np.intp]) -> "Records":
        """The given rows, in the given order."""
        return Records(
            self.event_keys[rows],
            {name: column[rows] for name, column in self.columns.items()},
            [self.event_ids[i] for i in rows.tolist()],
            self.measures[rows],
        )


def totals_of(records: Records, watched: Collection[tuple[int, int]]) -> dict[str, Totals]:
    """Table -> what the records add to it, for every totals table; all writers go through them in this order.

    `watched` are the (tenant_key, user_key) that have totals of their own.
    """
    tenant, attribution, factor, user = (
        records.columns[name] for name in ("tenant_key", "attribution_key", "factor_key", "user_key")
    )
    ended_at_us = records.columns["ended_at_us"]
    slot = floor_to(ended_at_us, SLOT_S)
    minutes = roll_up([tenant, floor_to(ended_at_us, MINUTE_S)], records.measures)
    slots = roll_up([tenant, slot, attribution, factor], records.measures)
    chosen = _watched_rows(tenant, user, watched)
    return {
        "minute_total": minutes,
        "slot_total": slots,
        "user_slot_total": roll_up(
            [column[chosen] for column in (tenant, slot, user, attribution, factor)], records.measures[chosen]
        ),
        # Last, because workers that are at different hours of a day share these rows: whoever has written them makes
        # the others wait until its transaction ends.
        "tenant_day_total": _by_day(minutes),
        "day_total": _by_day(slots),
    }


def _by_day(totals: Totals) -> Totals:
    """The same sums by UTC day; the second key is when."""
    tenant, start_s, *rest = totals.keys.T
    return roll_up([tenant, start_s - start_s % DAY_S, *rest], totals.sums)


def _watched_rows(tenant: Ints, user: Ints, watched: Collection[tuple[int, int]]) -> NDArray[np.intp]:
    if not watched:
        return np.empty(0, dtype=np.intp)
    pairs = np.array(sorted(watched), dtype=np.int64)
    return np.flatnonzero(np.isin((tenant << 32) | np.maximum(user, 0), (pairs[:, 0] << 32) | pairs[:, 1]))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one partition has been read: the proof that no offset was left out."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int
    events: int
    quarantined: int
    gaps: int = 0


@dataclass(frozen=True, slots=True)
class Conflict:
    """An event that came again with other content: the first record stands, this says what differed."""

    tenant_key: int
    event_key: bytes
    event_id: str
    detail: str
    partition: int
    """Position in `Batch.progress`."""

    @property
    def digest(self) -> bytes:
        """Equal for the same other content, so that a re-delivery is not kept twice."""
        return hashlib.blake2b(self.detail.encode(), digest_size=16).digest()


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
    rejections: list[Rejection]
    progress: list[Progress]
    partition_of: NDArray[np.intp]
    repeats: Repeats
    received_at_us: int
    ignored: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(source format, reason) -> items that are no requests to a model: only counted."""
    rungs: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(factor, rung of its ladder) -> records that rest on it, repeats of earlier batches included: only counted."""


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What one transaction did with the events it was given: `recorded + duplicates + conflicts == events`."""

    recorded: int
    duplicates: int
    conflicts: int
    quarantined: int
    tenants: frozenset[int]
    """Tenants whose totals changed."""
    sums: dict[str, int]
    """What the newly recorded prompts add up to, by measure."""
