"""What of a batch may still be recorded: nothing from before the retention horizon, as the transaction itself sees it.

The record of such an event is gone, so that nobody can tell whether it was counted; a batch that was prepared before the
horizon moved would count it a second time.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.keys import times_of_keys_us
from rice_stream.instants import DAY_US
from rice_stream.store.batch import Batch, Records


def retained(batch: Batch, horizon_us: int) -> Batch:
    """The batch without records that ended before the horizon (epoch microseconds; 0: none); they are counted instead.

    What repeats one of them within the batch stays a repeat.
    """
    if horizon_us <= 0:
        return batch
    old = _before(batch.records, horizon_us)
    if not old.any():
        return batch
    counts = np.bincount(batch.partition_of[old], minlength=len(batch.progress)).tolist()
    progress = [
        replace(part, events=part.events - count, older_than_retention=part.older_than_retention + count)
        for part, count in zip(batch.progress, counts, strict=True)
    ]
    kept = np.flatnonzero(~old)
    return replace(batch, records=batch.records.select(kept), partition_of=batch.partition_of[kept], progress=progress)


def _before(records: Records, horizon_us: int) -> NDArray[np.bool_]:
    """Which records lie before the horizon, by their time or by their key: where they lie is a matter of their keys."""
    keys_us = times_of_keys_us(records.event_keys)
    # An event without a time of its own may repeat one of the day before, whose record is gone.
    earliest_us = np.where(records.untimed, keys_us - DAY_US, np.minimum(keys_us, records.columns["ended_at_us"]))
    before: NDArray[np.bool_] = earliest_us < horizon_us
    return before
