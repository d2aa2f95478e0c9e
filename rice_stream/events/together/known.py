"""Layouts that events were met in, with all that was learnt of what such events share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.canonical import FIELD_NAMES
from rice_stream.events.together.interning import NEW, InternedRows
from rice_stream.events.together.layouts import WHAT, WHO, EventLayout, Own, SharedRun
from rice_stream.events.together.names import NumberedNames
from rice_stream.events.together.octets import WINDOW_BYTES_MAX, WORD_BYTES, Octets, Words
from rice_stream.events.together.shared_fields import RunReader, Said
from rice_stream.quantities import Ints

ODD = -1
"""The number of names where they are not read together."""


@dataclass(frozen=True, slots=True)
class AllNames:
    """Who used events and what served them, of all layouts."""

    who: NumberedNames
    """The values of WHO."""
    what: NumberedNames
    """The values of WHAT."""

    @classmethod
    def none_yet(cls) -> "AllNames":
        """Before the first event."""
        return cls(NumberedNames(len(WHO)), NumberedNames(len(WHAT)))


class Matched(NamedTuple):
    """Events that are written in a layout: their positions in the block, shape (m,), and their edges, shape (edges, m)."""

    layout: EventLayout
    rows: NDArray[np.intp]
    edges: Ints
    who: Ints
    what: Ints

    def value(self, own: Own) -> tuple[Ints, Ints]:
        """Where a field's values begin and end."""
        return self.edges[own.edge] + len(own.before), self.edges[own.until]


class _RunTable:
    """The runs of one place in a layout that were met, and what each says; None: it is not read together."""

    def __init__(self, run: SharedRun, words: int) -> None:
        self.run = run
        self.words = words
        self.rows = InternedRows(words + 1)
        self.said: list[Said | None] = []
        self._reader = RunReader(run.fields)

    def numbers(self, octets: Octets, starts: Ints, ends: Ints) -> Ints:
        """The number of each run, new ones learnt; NEW for one that is not kept."""
        lengths = ends - starts
        rows: Words = np.empty((len(starts), self.words + 1), dtype=np.uint64)
        rows[:, :-1] = octets.rows(starts, lengths, self.words)
        rows[:, -1] = lengths  # so that no two runs have the same row, whatever bytes they end with
        found = self.rows.find(rows)
        if (found == NEW).any():
            found = self.rows.add(rows)
            unknown = np.flatnonzero(found >= len(self.said))
            new = dict(zip(found[unknown].tolist(), unknown.tolist(), strict=True))
            places = np.array([new[number] for number in range(len(self.said), len(self.rows))], dtype=np.intp)
            self.said += map(self._reader.read, octets.pieces(starts[places], ends[places]))
        return found


class _Combinations:
    """What some runs of a layout say together, as numbers of names."""

    def __init__(self, tables: Sequence[_RunTable], fields: tuple[str, ...], names: NumberedNames) -> None:
        # What is no name goes with what served an event: a run of nothing but stated factors or energy makes an event odd too.
        others = set(WHO) if fields is WHAT else set(FIELD_NAMES) - set(fields)
        self._places = [place for place, table in enumerate(tables) if not others.issuperset(table.run.fields)]
        self._tables = [tables[place] for place in self._places]
        self._fields = fields
        self._names = names
        self._rows = InternedRows(len(self._places))
        self._numbers: Ints = np.empty(0, dtype=np.int64)

    def numbers(self, of_runs: Sequence[Ints]) -> Ints:
        """The number of each event's names, by the numbers of its runs; ODD for one that is not read together."""
        rows: Words = np.stack([of_runs[place] for place in self._places], axis=1).view(np.uint64)
        found = self._rows.find(rows)
        if (found == NEW).any():
            found = self._rows.add(rows)
            unknown = np.flatnonzero(found >= len(self._numbers))
            new = dict(zip(found[unknown].tolist(), rows[unknown].view(np.int64).tolist(), strict=True))
            learnt = [self._learn(new[number]) for number in range(len(self._numbers), len(self._rows))]
            self._numbers = np.append(self._numbers, np.array(learnt, dtype=np.int64))
            return np.where(found == NEW, ODD, self._numbers[found])
        return np.take(self._numbers, found)

    def _learn(self, of_runs: list[int]) -> int:
        if NEW in of_runs:
            return ODD
        said: Said = {}
        for table, number in zip(self._tables, of_runs, strict=True):
            of_run = table.said[number]
            if of_run is None:
                return ODD
            said |= of_run
        if self._fields is WHAT and not (said.get("request_model") or said.get("response_model")):
            return ODD
        return self._names.number(tuple(map(said.get, self._fields)))


class MetLayout:
    """A layout, and the names that events in it have said. Edges have shape (edges, n), as `reader` finds them."""

    def __init__(self, layout: EventLayout, names: AllNames, edges: Ints) -> None:
        """`edges` are those of the first events in it: runs may be somewhat longer than theirs."""
        self.layout = layout
        self._tables = [_RunTable(run, _words(_longest(run, edges))) for run in layout.runs]
        self._who = _Combinations(self._tables, WHO, names.who)
        self._what = _Combinations(self._tables, WHAT, names.what)

    def __len__(self) -> int:
        """How many runs of one place are known."""
        return max((len(table.rows) for table in self._tables), default=0)

    def matching(self, octets: Octets, edges: Ints) -> NDArray[np.bool_]:
        """Which of the events are written in it, as far as what always stands in the same place tells."""
        found = octets.has(edges[-1] - len(self.layout.end), self.layout.end)
        for own in self.layout.own:
            if not found.any():
                break
            found &= octets.has(edges[own.edge], own.before)
        for run in self.layout.runs:
            found &= edges[run.until] - edges[run.edge] <= WINDOW_BYTES_MAX
        return found

    def has_room(self, edges: Ints) -> bool:
        """Whether all runs of these events can be looked up."""
        return all(_longest(table.run, edges) <= table.words * WORD_BYTES for table in self._tables)

    def named(self, octets: Octets, rows: NDArray[np.intp], edges: Ints) -> Matched:
        """Events that match, with the numbers of their names."""
        edges = edges.copy()
        edges[-1] -= len(self.layout.end)
        of_runs = [table.numbers(octets, edges[table.run.edge], edges[table.run.until]) for table in self._tables]
        return Matched(self.layout, rows, edges, self._who.numbers(of_runs), self._what.numbers(of_runs))


def _longest(run: SharedRun, edges: Ints) -> int:
    return int((edges[run.until] - edges[run.edge]).max(initial=0))


def _words(longest: int) -> int:
    """Words for runs of so many bytes, and some more."""
    return min(-(-(longest + longest // 4 + WORD_BYTES) // WORD_BYTES), WINDOW_BYTES_MAX // WORD_BYTES)
