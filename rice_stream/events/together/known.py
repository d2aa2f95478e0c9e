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

_MODELS = ("request_model", "response_model")
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
        found = self.rows.add(rows)
        places = _places_of_new(found, len(self.said), len(self.rows))
        if places.size:
            self.said += self._reader.read(octets.pieces(starts[places], ends[places]))
        return found


class _Source(NamedTuple):
    """Where a name is said: the number of the run, and that of the field in it."""

    run: int
    field: int


class _Combinations:
    """What some runs of a layout say together, as numbers of names."""

    def __init__(self, tables: Sequence[_RunTable], fields: tuple[str, ...], names: NumberedNames) -> None:
        # What is no name goes with what served an event: a run of nothing but stated factors or energy makes an event odd too.
        others = set(WHO) if fields is WHAT else set(FIELD_NAMES) - set(fields)
        self._places = [place for place, table in enumerate(tables) if not others.issuperset(table.run.fields)]
        self._tables = [tables[place] for place in self._places]
        self._sources = [_source(self._tables, field) for field in fields]
        self._models = [fields.index(name) for name in _MODELS if fields is WHAT]
        """Places of names of which an event has at least one."""
        self._names = names
        self._rows = InternedRows(len(self._places))
        self._numbers: Ints = np.empty(0, dtype=np.int64)

    def numbers(self, of_runs: Sequence[Ints]) -> Ints:
        """The number of each event's names, by the numbers of its runs; ODD for one that is not read together."""
        rows: Words = np.stack([of_runs[place] for place in self._places], axis=1).view(np.uint64)
        found = self._rows.add(rows)
        places = _places_of_new(found, len(self._numbers), len(self._rows))
        if places.size:
            self._numbers = np.append(self._numbers, self._learnt(rows[places].view(np.int64)))
        if (found == NEW).any():
            return np.where(found == NEW, ODD, self._numbers[found])
        return np.take(self._numbers, found)

    def _learnt(self, of_runs: Ints) -> Ints:
        """The same of combinations that are new, by the numbers of their runs, shape (m, runs)."""
        numbers = np.full(len(of_runs), ODD, dtype=np.int64)
        kept = np.flatnonzero((of_runs != NEW).all(axis=1))
        said = [list(map(table.said.__getitem__, of_runs[kept, k].tolist())) for k, table in enumerate(self._tables)]
        read = [place for place, together in enumerate(zip(*said, strict=True)) if None not in together]
        if not read:
            return numbers
        # A column for each field of each run, and of these the ones that are names.
        columns = [list(zip(*(of_run[place] or () for place in read), strict=True)) for of_run in said]
        nothing = [None] * len(read)
        named = [nothing if source is None else columns[source.run][source.field] for source in self._sources]
        names = list(zip(*named, strict=True))
        if self._models:
            of_model = [place for place, each in enumerate(names) if any(each[field] for field in self._models)]
            read, names = [read[place] for place in of_model], [names[place] for place in of_model]
        numbers[kept[read]] = self._names.numbers_of(names)
        return numbers


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


def _source(tables: Sequence[_RunTable], name: str) -> _Source | None:
    """The run that says a name; None: none of them."""
    for run, table in enumerate(tables):
        if name in table.run.fields:
            return _Source(run, table.run.fields.index(name))
    return None


def _places_of_new(numbers: Ints, known: int, count: int) -> Ints:
    """A place in `numbers` of each number from `known` up to `count`."""
    places = np.empty(count - known, dtype=np.int64)
    new = np.flatnonzero(numbers >= known)
    places[numbers[new] - known] = new
    return places


def _longest(run: SharedRun, edges: Ints) -> int:
    return int((edges[run.until] - edges[run.edge]).max(initial=0))


def _words(longest: int) -> int:
    """Words for runs of so many bytes, and some more."""
    return min(-(-(longest + longest // 4 + WORD_BYTES) // WORD_BYTES), WINDOW_BYTES_MAX // WORD_BYTES)
