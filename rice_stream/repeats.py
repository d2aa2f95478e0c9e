"""Events that come more than once within a batch: how many, and which of them say something else than the first."""

import numpy as np
from numpy.typing import NDArray

from rice_stream.estimator.types import Ints
from rice_stream.keyed_events import KeyedEvents
from rice_stream.schema_names import MEASURES
from rice_stream.store.batch import CONTENT_COLUMNS, Conflict, Records, Repeats
from rice_stream.store.writer import content_text


def repeats_of(events: KeyedEvents, same: NDArray[np.bool_], partitions: int) -> Repeats:
    """`same[i]`: event i has the key of event i - 1, in key order. Shapes (n,); `partitions` is how many the batch spans."""
    count = np.bincount(events.origin[same], minlength=partitions).astype(np.int64)
    stands = np.maximum.accumulate(np.where(same, 0, np.arange(len(same))))
    said = {
        row: text
        for row in np.flatnonzero(same).tolist()
        if (text := _said(events, row)) != _said(events, int(stands[row]))
    }
    others = events.select(np.array(list(said), dtype=np.intp))
    conflicts = [_conflict(others, row, detail) for row, (detail, _) in enumerate(said.values())]
    return Repeats(count, conflicts, _comparable(others))


def _conflict(events: KeyedEvents, row: int, detail: str) -> Conflict:
    return Conflict(
        tenant_key=int(events.tenant_key[row]),
        event_key=events.event_keys[row].tobytes(),
        event_id=events.event_ids[row].decode(),
        detail=detail,
        partition=int(events.origin[row]),
    )


def _comparable(events: KeyedEvents) -> Records:
    """What a store needs to compare the events with what it holds; they are never written."""
    names = ("tenant_key", "factor_key", *CONTENT_COLUMNS)
    columns: dict[str, Ints] = {name: getattr(events, name) for name in names}
    return Records(events.event_keys, columns, events.event_ids, np.zeros((len(events), len(MEASURES)), dtype=np.int64))


def _said(events: KeyedEvents, row: int) -> tuple[str, int]:
    return content_text({name: getattr(events, name)[row] for name in CONTENT_COLUMNS}), int(events.factor_key[row])
