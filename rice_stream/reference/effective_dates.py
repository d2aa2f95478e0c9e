"""Values that change at known times, looked up by key and event time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from rice_stream.instants import BEGINNING_US, END_US

T = TypeVar("T")


class Dated(Generic[T]):
    """For each key the values and their half-open times.

    A key that exists always answers: before its first value with the first, in a gap or after its last value with
    the one before. So an alias that is younger than an event still resolves, and the answer is constant between two
    neighbours of `boundaries_us`.
    """

    def __init__(self, entries: Iterable[tuple[str, int, int, T]], *, expires: bool = False) -> None:
        """`expires`: outside the stated times there is no answer (contracts lapse, measured means do not)."""
        self._expires = expires
        rows: dict[str, list[tuple[int, int, T]]] = {}
        for key, start_us, end_us, value in entries:
            rows.setdefault(key, []).append((start_us, end_us, value))
        for values in rows.values():
            values.sort(key=lambda item: item[0])
        self._rows: Mapping[str, list[tuple[int, int, T]]] = rows
        self.boundaries_us = frozenset(
            edge
            for values in rows.values()
            for edge in _changes(values, expires=expires)
            if edge not in (BEGINNING_US, END_US)
        )

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def get(self, key: str, at_us: int) -> T | None:
        """The value at that time, None only where the key is unknown."""
        values = self._rows.get(key)
        if values is None:
            return None
        answer: T | None = None if self._expires else values[0][2]
        for start_us, end_us, value in values:
            if start_us > at_us:
                break
            answer = None if self._expires and end_us <= at_us else value
        return answer


def _changes(values: Sequence[tuple[int, int, object]], *, expires: bool) -> Iterator[int]:
    """When the answer for one key changes: a value that never lapses holds before its start, too, if it is the first."""
    for start_us, end_us, _ in values if expires else values[1:]:
        yield start_us
        if expires:
            yield end_us
