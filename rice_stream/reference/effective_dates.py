"""Values that change at known times, looked up by key and event time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from rice_stream.instants import BEGINNING_US, END_US

T = TypeVar("T")


Entry = tuple[str, int, int, T]
"""Key, half-open time (epoch microseconds) and value."""


class _Value(NamedTuple, Generic[T]):
    start_us: int
    end_us: int
    value: T
    lapses: bool


class Dated(Generic[T]):
    """For each key the values and their half-open times.

    A key whose values do not lapse always answers: before its first value with the first, in a gap or after its last value
    with the one before. So an alias that is younger than an event still resolves, and the answer is constant between two
    neighbours of `boundaries_us`.
    """

    def __init__(self, entries: Iterable[Entry[T]], *, lapsing: Iterable[Entry[T]] = (), expires: bool = False) -> None:
        """`lapsing` are values that hold within their times alone, as a contract does; `expires`: all do."""
        rows: dict[str, list[_Value[T]]] = {}
        for given, lapses in ((entries, expires), (lapsing, True)):
            for key, start_us, end_us, value in given:
                rows.setdefault(key, []).append(_Value(start_us, end_us, value, lapses))
        for values in rows.values():
            values.sort(key=lambda item: item.start_us)
        self._rows: Mapping[str, list[_Value[T]]] = rows
        self.boundaries_us = frozenset(
            edge for values in rows.values() for edge in _changes(values) if edge not in (BEGINNING_US, END_US)
        )

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def get(self, key: str, at_us: int) -> T | None:
        """The value at that time; None where the key is unknown, or has lapsed or not begun."""
        values = self._rows.get(key)
        if values is None:
            return None
        answer = next((each.value for each in values if not each.lapses), None)
        for start_us, end_us, value, lapses in values:
            if start_us > at_us:
                break
            if not lapses or at_us < end_us:
                answer = value
        return answer


def _changes(values: Sequence[_Value[T]]) -> Iterator[int]:
    """When the answer for one key changes: a value that never lapses holds before its start, too, if it is the first."""
    for place, (start_us, end_us, _, lapses) in enumerate(values):
        if place or lapses:
            yield start_us
        if lapses:
            yield end_us
