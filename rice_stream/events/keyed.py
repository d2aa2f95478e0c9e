"""Events whose names have become the store's keys: nothing but integers and the event ids, sorted and each there once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.metered_energy import Metered
from rice_stream.quantities import UNKNOWN, Ints


@dataclass(frozen=True, slots=True)
class KeyedEvents:
    """n events: columns of shape (n,), `UNKNOWN` (-1) for null; times in epoch microseconds."""

    event_keys: NDArray[np.uint8]
    """Shape (n, 16)."""
    event_ids: Sequence[bytes]
    """In UTF-8."""
    origin: NDArray[np.intp]
    """Number of the partition that the event came from."""
    context: NDArray[np.intp]
    """Row of the event's kind in the context table."""
    tenant_key: Ints
    attribution_key: Ints
    factor_key: Ints
    user_key: Ints
    api_key_key: Ints
    ended_at_us: Ints
    duration_us: Ints
    input_tokens: Ints
    cache_read_input_tokens: Ints
    cache_write_input_tokens: Ints
    output_tokens: Ints
    reasoning_output_tokens: Ints
    inference: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    flags: NDArray[np.int32]
    untimed: NDArray[np.bool_]
    """Whether the event has no time of its own."""
    metered: Ints | None = None
    """Metered energy of each event, shape (n, 2), as `metered_column` gives it; None where no event has any."""

    def __len__(self) -> int:
        return len(self.tenant_key)

    def select(self, rows: NDArray[np.intp]) -> "KeyedEvents":
        """The given rows, in the given order."""
        values: dict[str, Any] = {name: getattr(self, name)[rows] for name in _ALWAYS}
        metered = None if self.metered is None else self.metered[rows]
        return KeyedEvents(event_ids=pick(self.event_ids, rows), metered=metered, **values)


_ALWAYS = tuple(field.name for field in fields(KeyedEvents) if field.name not in ("event_ids", "metered"))
"""The columns that are arrays whatever the events."""


def metered_column(energy: tuple[Sequence[Any], ...], n: int) -> Ints | None:
    """The (n, 2) values of `Metered` of n events, UNKNOWN for one without; None where no event has any."""
    if not energy:
        return None
    column = np.full((n, len(Metered._fields)), UNKNOWN, dtype=np.int64)
    for row, taken in enumerate(energy[0]):
        if taken is not None:
            column[row] = taken
    return column


def pick(values: Sequence[bytes], rows: NDArray[np.intp]) -> Sequence[bytes]:
    """The values at the given places."""
    chosen = rows.tolist()
    return itemgetter(*chosen)(values) if len(chosen) > 1 else [values[row] for row in chosen]


def concatenate(parts: Sequence[KeyedEvents]) -> KeyedEvents:
    """All parts, one after the other; at least one."""
    values: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ALWAYS}
    metered = None
    if any(part.metered is not None for part in parts):
        metered = np.concatenate(
            [np.full((len(part), 2), UNKNOWN) if part.metered is None else part.metered for part in parts]
        )
    event_ids = list(chain.from_iterable(part.event_ids for part in parts))
    return KeyedEvents(event_ids=event_ids, metered=metered, **values)


def in_key_order(events: KeyedEvents) -> tuple[KeyedEvents, NDArray[np.bool_]]:
    """The events by (tenant_key, event_key), in the order they came among equals; and which repeat the one before."""
    words = np.ascontiguousarray(events.event_keys).view(">u8").reshape(-1, 2).astype(np.uint64)
    order = np.lexsort((words[:, 0], events.tenant_key))
    first, tenant = words[order, 0], events.tenant_key[order]
    if ((first[1:] == first[:-1]) & (tenant[1:] == tenant[:-1])).any():
        # Rare: a repeat, or two events that share time and sixteen bits of their digests.
        order = np.lexsort((words[:, 1], words[:, 0], events.tenant_key))
        first, tenant = words[order, 0], events.tenant_key[order]
    second = words[order, 1]
    same = np.zeros(len(events), dtype=np.bool_)
    same[1:] = (first[1:] == first[:-1]) & (second[1:] == second[:-1]) & (tenant[1:] == tenant[:-1])
    return events.select(order), same
