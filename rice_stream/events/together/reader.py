"""Canonical events of a block of records -> their columns, all events of a layout at once."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.canonical import WireEvent
from rice_stream.events.columns import consistent
from rice_stream.events.plain_objects import WIRE
from rice_stream.events.together.known import ODD, AllNames, Matched, MetLayout
from rice_stream.events.together.layouts import COUNTS, EVENT_ID, TIMES, layout_of
from rice_stream.events.together.octets import Octets
from rice_stream.quantities import UNKNOWN, Ints

EVENTS_MIN = 64
"""Of fewer events in a layout each costs more here than alone: a step takes as long for one as for a hundred."""
NAMES_MAX = 50_000
"""Runs that are kept in mind, and as many combinations of names; past that all is learnt anew."""
LAYOUTS_MAX = 64
"""The same for layouts."""
_READ_BETWEEN_MIN = 10 * NAMES_MAX
"""Where fewer events were read since all was learnt anew, they have too little in common: learning costs more than it saves."""
_BLOCKS_LEFT_ALONE = 1_000
_ODD_MAX = 4
"""One in so many events of a block may be odd; where more are, the block is left to be read otherwise."""


class ReadTogether(NamedTuple):
    """n events; of those that are odd, nothing."""

    odd: NDArray[np.intp]
    """Which events are to be read one by one."""
    names: AllNames
    """The names of what served an event are those of its `EventColumns.served`, followed by OUTCOME."""
    who: Ints
    what: Ints
    ids: list[bytes]
    ended_at_us: Ints
    duration_us: Ints
    counts: dict[str, Ints]
    event: Callable[[bytes], WireEvent]
    """Reads the event of a value that is not odd."""


class TogetherReader:
    """Remembers layouts and names from block to block. For one block at a time."""

    def __init__(self) -> None:
        self._learn_anew()
        self._left_alone = 0
        self._pause = 1

    def _learn_anew(self) -> None:
        self._names = AllNames.none_yet()
        self._layouts: dict[int, list[MetLayout]] = {}
        self._read = 0

    def read(self, count: int, octets_of: Callable[[], Octets]) -> ReadTogether | None:
        """The events of so many values; None where they are to be read otherwise."""
        if count < EVENTS_MIN:
            return None
        if self._left_alone > 0:
            self._left_alone -= 1
            return None
        self._forget_much()
        found = self._read_all(octets_of())
        if len(found.odd) * _ODD_MAX > count:
            # What is written in ways that are not read together is likely to go on so.
            self._left_alone, self._pause = self._pause, min(2 * self._pause, _BLOCKS_LEFT_ALONE)
            return None
        self._pause = 1
        self._read += count
        return found

    def _forget_much(self) -> None:
        layouts = [known for of_commas in self._layouts.values() for known in of_commas]
        names = max(len(self._names.who), len(self._names.what), *map(len, layouts), 0)
        if names > NAMES_MAX or len(layouts) > LAYOUTS_MAX:
            self._left_alone = 0 if self._read >= _READ_BETWEEN_MIN else _BLOCKS_LEFT_ALONE
            self._learn_anew()

    def _read_all(self, octets: Octets) -> ReadTogether:
        block = _Block(len(octets.starts))
        for rows, edges in _by_commas(octets):
            for matched in self._matched(octets, rows, edges):
                block.take(octets, matched)
        return block.read(octets, self._names)

    def _matched(self, octets: Octets, rows: NDArray[np.intp], edges: Ints) -> Iterator[Matched]:
        """The events of each layout that they are written in, as far as there are enough of them."""
        layouts = self._layouts.setdefault(len(edges), [])
        place = 0
        while len(rows) >= EVENTS_MIN:
            if place == len(layouts) and not self._meet(octets.value(int(rows[0])), octets, edges):
                return
            known = layouts[place]
            matching = known.matching(octets, edges)
            if matching.any():
                here, there = (rows, edges) if matching.all() else (rows[matching], edges[:, matching])
                if not known.has_room(there):
                    known = layouts[place] = MetLayout(known.layout, self._names, there)
                yield known.named(octets, here, there)
                rows, edges = rows[~matching], edges[:, ~matching]
            place += 1

    def _meet(self, value: bytes, octets: Octets, edges: Ints) -> bool:
        """Learn how this event is written. False where that is no layout, or a known one."""
        layout = layout_of(value)
        layouts = self._layouts[len(edges)]
        if layout is None or layout in (known.layout for known in layouts):
            return False
        matching = MetLayout(layout, self._names, edges[:, :0]).matching(octets, edges)
        layouts.append(MetLayout(layout, self._names, edges[:, matching]))
        return True


def _by_commas(octets: Octets) -> Iterator[tuple[NDArray[np.intp], Ints]]:
    """(events, their edges) of events with the same number of commas: the edges are their first byte, their commas, and what
    is behind their last byte."""
    starts, ends, commas = octets.starts, octets.ends, octets.commas()
    n = len(starts)
    each = len(commas) // n
    if each and len(commas) == n * each:
        of_all = commas.reshape(n, each)
        if (of_all[:, 0] >= starts).all() and (of_all[:, -1] < ends).all():
            yield np.arange(n), np.vstack([starts, of_all.T, ends])
            return
    first = np.searchsorted(commas, starts)
    counts = np.diff(first, append=len(commas))
    for count in np.unique(counts).tolist():
        rows = np.flatnonzero(counts == count)
        if count and len(rows) >= EVENTS_MIN:
            of_these = commas[first[rows] + np.arange(count)[:, None]]
            yield rows, np.vstack([starts[rows], of_these, ends[rows]])


class _Block:
    """Columns of n events, filled layout by layout."""

    def __init__(self, n: int) -> None:
        self._who: Ints = np.full(n, ODD, dtype=np.int64)
        self._what = self._who.copy()
        self._id_starts: Ints = np.zeros(n, dtype=np.int64)
        self._id_ends = self._id_starts.copy()
        self._ended_at_us = self._id_starts.copy()
        self._duration_us: Ints = np.full(n, UNKNOWN, dtype=np.int64)
        self._counts = {name: self._duration_us.copy() for name in COUNTS}

    def take(self, octets: Octets, events: Matched) -> None:
        """The events of one layout, but for those that turn out to be odd."""
        rows: Any = slice(None) if len(events.rows) == len(self._who) else events.rows
        own = {each.field: events.value(each) for each in events.layout.own}
        starts, ends = own[EVENT_ID]
        good = octets.are_identifiers(starts, ends) & (events.who != ODD) & (events.what != ODD)
        self._id_starts[rows], self._id_ends[rows] = starts + 1, ends - 1
        counted = [name for name in COUNTS if name in own]
        found, written = octets.counts(*_stacked(own[name] for name in counted))
        for name, values in zip(counted, found, strict=True):
            self._counts[name][rows] = values
        good &= written.all(axis=0)
        good &= consistent({name: column[rows] for name, column in self._counts.items()})
        timed = [name for name in TIMES if name in own]
        starts, ends = _stacked(own[name] for name in timed)
        times_us, understood = (each.reshape(starts.shape) for each in octets.times(starts.ravel(), ends.ravel()))
        self._ended_at_us[rows] = ended_at_us = times_us[-1]
        good &= understood[-1]
        if len(timed) > 1:
            null = octets.are_null(starts[0], ends[0] - starts[0])
            durations = ended_at_us - times_us[0]
            self._duration_us[rows] = np.where(null, UNKNOWN, durations)
            good &= null | (understood[0] & (durations >= 0))
        self._who[rows] = np.where(good, events.who, ODD)
        self._what[rows] = events.what

    def read(self, octets: Octets, names: AllNames) -> ReadTogether:
        """All that was taken."""
        odd = np.flatnonzero(self._who == ODD)
        ids = octets.pieces(self._id_starts, self._id_ends)
        return ReadTogether(
            odd, names, self._who, self._what, ids, self._ended_at_us, self._duration_us, self._counts, WIRE.decode
        )


def _stacked(places: Iterable[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Where values of several fields begin and end, a row a field."""
    starts, ends = zip(*places, strict=True)
    return np.stack(starts), np.stack(ends)
