"""Combinations of names that many events share, each with a number; and columns that say of each event only the number."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.on_demand import OnDemand
from rice_stream.quantities import Ints

Combination = tuple[Any, ...]


class NumberedNames:
    """Combinations in the order in which they were first seen. It only grows, so what a number stands for never changes."""

    def __init__(self, width: int) -> None:
        """`width` is how many names a combination has."""
        self.fields: tuple[list[Any], ...] = tuple([] for _ in range(width))
        """`fields[k][number]` is the k-th name of a combination."""
        self._numbers: dict[Combination, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, combination: Combination) -> int:
        """The combination's number, a new one where it was not seen before."""
        found = self._numbers.get(combination)
        if found is None:
            found = self._numbers[combination] = len(self._numbers)
            for names, name in zip(self.fields, combination, strict=True):
                names.append(name)
        return found

    def numbers_of(self, combinations: Iterable[Combination]) -> list[int]:
        """The number of each of many."""
        wanted = list(combinations)
        new = [each for each in dict.fromkeys(wanted) if each not in self._numbers]
        self._numbers.update(zip(new, range(len(self), len(self) + len(new)), strict=True))
        for names, more in zip(self.fields, zip(*new, strict=True), strict=False):  # nothing, where none is new
            names.extend(more)
        return list(map(self._numbers.__getitem__, wanted))

    def combination(self, number: int) -> Combination:
        """The names that a number stands for."""
        return tuple(names[number] for names in self.fields)


class NumberedColumn(OnDemand[Any]):
    """One name of each of n events, by the number of the event's combination."""

    def __init__(self, names: NumberedNames, field: int, numbers: Ints) -> None:
        self.names = names
        self.numbers = numbers
        self._field = field

    def __len__(self) -> int:
        return len(self.numbers)

    def item(self, at: int) -> Any:
        """The name of one event."""
        return self.names.fields[self._field][self.numbers[at]]

    def part(self, rows: slice) -> "NumberedColumn":
        """The same name of some of the events."""
        return self.renumbered(self.numbers[rows])

    def count(self, value: Any) -> int:
        """How many events have this name; mostly all or none, which the combinations tell."""
        names = self.names.fields[self._field]
        of_combinations = names.count(value)
        if of_combinations in (0, len(names)):
            return len(self) if of_combinations else 0
        return super().count(value)

    def __iter__(self) -> Iterator[Any]:
        return map(self.names.fields[self._field].__getitem__, self.numbers.tolist())

    def renumbered(self, numbers: Ints) -> "NumberedColumn":
        """The same name of other events, by their numbers."""
        return NumberedColumn(self.names, self._field, numbers)


def numbered(names: NumberedNames, numbers: Ints, fields: Sequence[int]) -> tuple[NumberedColumn, ...]:
    """Columns of these fields of the combinations, which share their numbers."""
    return tuple(NumberedColumn(names, field, numbers) for field in fields)


def shared_numbers(columns: Sequence[Sequence[Any]]) -> tuple[NumberedNames, Ints] | None:
    """The combinations that all of the columns are fields of, with each event's number; None: they are not."""
    first = columns[0]
    if not isinstance(first, NumberedColumn):
        return None
    names, numbers = first.names, first.numbers
    alike = all(isinstance(one, NumberedColumn) and one.names is names and one.numbers is numbers for one in columns)
    return (names, numbers) if alike else None


class EncodedTexts(OnDemand[str]):
    """Texts as their bytes in UTF-8, decoded only when they are looked at."""

    def __init__(self, encoded: list[bytes]) -> None:
        self.encoded = encoded

    def __len__(self) -> int:
        return len(self.encoded)

    def item(self, at: int) -> str:
        """One text."""
        return self.encoded[at].decode()

    def part(self, rows: slice) -> "EncodedTexts":
        """Some of the texts."""
        return EncodedTexts(self.encoded[rows])

    def __iter__(self) -> Iterator[str]:
        return map(bytes.decode, self.encoded)


def encoded(texts: Sequence[str]) -> list[bytes]:
    """Each text in UTF-8."""
    return texts.encoded if isinstance(texts, EncodedTexts) else list(map(str.encode, texts))


def distinct_numbers(names: NumberedNames, numbers: Ints) -> Ints:
    """Each of the numbers once."""
    there = np.zeros(len(names), dtype=np.bool_)
    there[numbers] = True
    return np.flatnonzero(there)


def combinations(names: NumberedNames, numbers: Ints) -> list[Combination]:
    """The names that each of these numbers stands for."""
    wanted = numbers.tolist()
    return list(zip(*(map(field.__getitem__, wanted) for field in names.fields), strict=True))


def selected(columns: Sequence[Sequence[Any]], rows: NDArray[np.intp]) -> list[Sequence[Any]]:
    """The given rows of each column, in the given order; what shares its numbers before still does."""
    chosen = rows.tolist()
    of_numbers: dict[int, Ints] = {}
    found: list[Sequence[Any]] = []
    for column in columns:
        if isinstance(column, NumberedColumn):
            if id(column.numbers) not in of_numbers:
                of_numbers[id(column.numbers)] = column.numbers[rows]
            found.append(column.renumbered(of_numbers[id(column.numbers)]))
        elif isinstance(column, EncodedTexts):
            found.append(EncodedTexts([column.encoded[row] for row in chosen]))
        else:
            found.append([column[row] for row in chosen])
    return found
