"""Events without a time of their own that come again on another day: known by the day before, the day after, or an old key.

The key of such an event begins with the day (UTC) of the record it came in, so a resend of the same day has the same
key and is found like any other repeat. Here is what remains: a resend on the other side of midnight, and records of
versions before 0007, whose keys begin with the time of the record to the millisecond.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.keys import digests_of_keys, keys_at, times_of_keys_us
from rice_stream.instants import DAY_US
from rice_stream.quantities import Ints
from rice_stream.store.batch import Batch, Records, Repeats

Keys = NDArray[np.uint8]
"""Event keys, shape (n, 16)."""


class HoldDays(Protocol):
    """Keeps other transactions from writing events of the days next to the ones that are held."""

    def __call__(self, *, even: bool, odd: bool) -> None:
        """Hold days with even numbers, with odd numbers, or all."""
        ...


class IsStored(Protocol):
    """Looks keys up among the records."""

    def __call__(self, tenant_keys: Ints, event_keys: Keys, /) -> NDArray[np.bool_]:
        """Which of the keys there are records of."""
        ...


def without_known_on_other_days(batch: Batch, hold_days: HoldDays, is_stored: IsStored) -> Batch:
    """The batch with those of its records among its repeats that are known, in the store or within the batch, under
    another key than their own. A batch without events that lack a time is given back as it is.

    The days are held before the store is asked: of two transactions that meet the same event on two sides of midnight,
    the second one sees what the first has written.
    """
    records, others = batch.records, batch.repeats.others
    rows = np.flatnonzero(records.untimed)
    if not rows.size:
        return batch
    days = times_of_keys_us(records.event_keys[rows]) // DAY_US
    hold_days(even=bool((days % 2 == 0).any()), odd=bool((days % 2 == 1).any()))
    known = records.event_keys.copy()
    known[rows] = _known_keys(records, rows, days, is_stored)
    moved = np.flatnonzero((known != records.event_keys).any(axis=1))
    repeated = _keys_of_others(records, known, moved, others, is_stored)
    if not moved.size:
        return replace(batch, repeats=replace(batch.repeats, others=replace(others, event_keys=repeated)))
    partitions = batch.partition_of[moved]
    stay = np.setdiff1d(np.arange(len(records)), moved, assume_unique=True)
    repeats = Repeats(
        count=batch.repeats.count + np.bincount(partitions, minlength=len(batch.repeats.count)),
        others=_joined(replace(others, event_keys=repeated), replace(records.select(moved), event_keys=known[moved])),
        partition_of_others=np.concatenate([batch.repeats.partition_of_others, partitions]),
    )
    return replace(batch, records=records.select(stay), partition_of=batch.partition_of[stay], repeats=repeats)


def _known_keys(records: Records, rows: NDArray[np.intp], days: Ints, is_stored: IsStored) -> Keys:
    """The key under which each of the rows is or will be stored."""
    own = records.event_keys[rows]
    tenants = records.columns["tenant_key"][rows]
    candidates = [
        keys_at(own, records.columns["ended_at_us"][rows]),  # how versions before 0007 stored it
        keys_at(own, (days - 1) * DAY_US),
        keys_at(own, (days + 1) * DAY_US),
    ]
    stored = is_stored(np.tile(tenants, len(candidates)), np.concatenate(candidates)).reshape(len(candidates), -1)
    known = own.copy()
    for keys, there in zip(reversed(candidates), stored[::-1], strict=True):
        known[there] = keys[there]
    _merge_within_batch(known, np.flatnonzero(~stored.any(axis=0)), tenants, days)
    return known


def _merge_within_batch(known: Keys, new: NDArray[np.intp], tenants: Ints, days: Ints) -> None:
    """Give an event that the store does not know the key of the same event on the day before, where that is written."""
    if not new.size or days[new].min() == days[new].max():
        return
    first, last = digests_of_keys(known[new])
    order = new[np.lexsort((days[new], last, first, tenants[new]))]
    first, last = digests_of_keys(known[order])
    repeats = (first[1:] == first[:-1]) & (last[1:] == last[:-1]) & (tenants[order][1:] == tenants[order][:-1])
    # In order of days; what was given the key of the day before is not written itself, so the next one looks past it.
    for place in (np.flatnonzero(repeats & (days[order][1:] - days[order][:-1] == 1)) + 1).tolist():
        row, before = order[place], order[place - 1]
        own = times_of_keys_us(known[[before]])[0] == days[before] * DAY_US
        if own:
            known[row] = known[before]


def _keys_of_others(
    records: Records, known: Keys, moved: NDArray[np.intp], others: Records, is_stored: IsStored
) -> Keys:
    """The keys of what contradicts records of the batch: those of these records, unless it is stored itself."""
    keys = others.event_keys.copy()
    rows = np.flatnonzero(others.untimed)
    if not rows.size:
        return keys
    tenants = others.columns["tenant_key"]
    places = {
        (tenant, key.tobytes()): known[row]
        for row, tenant, key in zip(
            moved.tolist(), records.columns["tenant_key"][moved].tolist(), records.event_keys[moved], strict=True
        )
    }
    for row in rows.tolist():
        keys[row] = places.get((int(tenants[row]), keys[row].tobytes()), keys[row])
    old = keys_at(others.event_keys[rows], others.columns["ended_at_us"][rows])
    there = is_stored(tenants[rows], old)
    keys[rows[there]] = old[there]
    return keys


def _joined(one: Records, other: Records) -> Records:
    """Both, with the columns that the first one has."""
    ids: Sequence[bytes] = [*one.event_ids, *other.event_ids]
    return Records(
        event_keys=np.concatenate([one.event_keys, other.event_keys]),
        columns={name: np.concatenate([column, other.columns[name]]) for name, column in one.columns.items()},
        event_ids=ids,
        measures=np.concatenate([one.measures, other.measures]),
        untimed=np.concatenate([one.untimed, other.untimed]),
        said_attribution=np.concatenate([each.said("attribution_key") for each in (one, other)]),
    )
