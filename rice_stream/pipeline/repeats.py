"""Events that come more than once within a batch: how many, and which of them say something else than the first."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.keyed import KeyedEvents
from rice_stream.quantities import MEASURES, Ints
from rice_stream.store.batch import Records, Repeats
from rice_stream.store.record_columns import CONTENT_COLUMNS

SaidKeys = Callable[[Ints, Ints], Ints | None]
"""For (tenant_key, attribution_key), the attributions that events themselves said; None: those."""


def repeats_of(events: KeyedEvents, same: NDArray[np.bool_], partitions: int, said_keys: SaidKeys) -> Repeats:
    """`same[i]`: event i has the key of event i - 1, in key order. Shapes (n,); `partitions` is how many the batch spans."""
    count = np.bincount(events.origin[same], minlength=partitions).astype(np.int64)
    rows = np.flatnonzero(same)
    first = np.maximum.accumulate(np.where(same, 0, np.arange(len(same))))[rows]
    differs = np.zeros(len(rows), dtype=np.bool_)
    for name in ("factor_key", *CONTENT_COLUMNS):
        values = getattr(events, name)
        differing = values[rows] != values[first]
        # The time of an event without one is what Kafka said of this delivery.
        differs |= differing & ~events.untimed[rows] if name == "ended_at_us" else differing
    others = events.select(rows[differs])
    return Repeats(count, _comparable(others, said_keys), others.origin)


def _comparable(events: KeyedEvents, said_keys: SaidKeys) -> Records:
    """What a store needs to compare the events with what it holds; they are never written."""
    names = ("tenant_key", "factor_key", *CONTENT_COLUMNS)
    columns: dict[str, Ints] = {name: getattr(events, name) for name in names}
    measures = np.zeros((len(events), len(MEASURES)), dtype=np.int64)
    said = said_keys(events.tenant_key, events.attribution_key)
    return Records(events.event_keys, columns, events.event_ids, measures, events.untimed, said)
