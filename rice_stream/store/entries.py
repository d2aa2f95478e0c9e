"""Entries that correct records, by column, and the groups that they are posted in."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.canonical_json import canonical_json
from rice_stream.meter.amounts import INT64_MAX, exact_sums
from rice_stream.quantities import ENTRY_AMOUNTS, Ints
from rice_stream.store.audit import Actor
from rice_stream.store.entry_columns import ENTRY_KEYS, Cause

ENTRY_COLUMNS = (*ENTRY_KEYS, "user_key", "ended_at_us")
"""Whose a line's amounts are, what they rest on and when its prompt ended; `user_key` is UNKNOWN (-1) for null."""


@dataclass(frozen=True, slots=True)
class Entries:
    """n lines, each of one record: what is added to its amounts, or taken away."""

    event_keys: NDArray[np.uint8]
    """Shape (n, 16)."""
    columns: Mapping[str, Ints]
    """ENTRY_COLUMNS, shape (n,) each."""
    amounts: Ints
    """Shape (n, len(ENTRY_AMOUNTS)): micro-units and counts, with a sign."""

    def __len__(self) -> int:
        return len(self.amounts)

    @property
    def measures(self) -> Ints:
        """What the lines add to totals, shape (n, len(MEASURES))."""
        return self.amounts

    def select(self, rows: NDArray[np.intp]) -> "Entries":
        """The given lines, in the given order."""
        return Entries(
            self.event_keys[rows], {name: column[rows] for name, column in self.columns.items()}, self.amounts[rows]
        )

    @classmethod
    def joined(cls, *several: "Entries") -> "Entries":
        """The lines of all of them, one after another."""
        return cls(
            np.concatenate([each.event_keys for each in several]),
            {name: np.concatenate([each.columns[name] for each in several]) for name in ENTRY_COLUMNS},
            np.concatenate([each.amounts for each in several]),
        )

    def negated(self) -> "Entries":
        """The lines that take away what these add."""
        return Entries(self.event_keys, self.columns, -self.amounts)

    def without_nothing(self) -> "Entries":
        """Without the lines that change no amount."""
        kept = self.amounts.any(axis=1)
        return self if kept.all() else self.select(np.flatnonzero(kept))


@dataclass(frozen=True)
class EntryGroup:
    """Lines that are posted together or not at all, with their cause.

    `made_for` is what the group is made for, as JSON: its digest is the group's identity, so that the same cause a second time
    posts nothing. `counted` is False where records and totals hold the amounts already (events that came late into a closed
    month).
    """

    cause: Cause
    tenant_key: int
    made_for: Mapping[str, Any]
    reason: str
    by: Actor
    entries: Entries
    detail: Mapping[str, Any]
    event_key: bytes | None = None
    """The one event that the group is about."""
    restatement_id: str | None = None
    counted: bool = True

    @property
    def digest(self) -> bytes:
        """16 bytes: equal for the same cause."""
        made_for = {"cause": self.cause, "tenant_key": self.tenant_key, **self.made_for}
        return hashlib.blake2b(canonical_json(made_for), digest_size=16).digest()

    @cached_property
    def sums(self) -> dict[str, int]:
        """What the lines add up to, by amount."""
        return dict(zip(ENTRY_AMOUNTS, signed_sums(self.entries.amounts), strict=True))


def signed_sums(amounts: Ints) -> list[int]:
    """The sum of each column of (n, m) integers of either sign, exact beyond 64 bits."""
    if len(amounts) and max(int(amounts.max()), -int(amounts.min())) <= INT64_MAX // len(amounts):
        sums: list[int] = amounts.sum(axis=0).tolist()
        return sums
    positive, negative = exact_sums(np.maximum(amounts, 0)), exact_sums(np.maximum(-amounts, 0))
    return [plus - minus for plus, minus in zip(positive, negative, strict=True)]
