"""Sequences whose items are made when they are asked for: of many events or texts nearly none ever are."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Self, TypeVar, overload

Item = TypeVar("Item", covariant=True)


class OnDemand(Sequence[Item]):
    """Items by their position. What a slice takes is as lazy as the whole."""

    @abstractmethod
    def item(self, at: int) -> Item:
        """The item at a position."""

    @abstractmethod
    def part(self, rows: slice) -> Self:
        """Those of a slice."""

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> Self: ...
    def __getitem__(self, at: int | slice) -> Any:
        return self.part(at) if isinstance(at, slice) else self.item(at)

    def __iter__(self) -> Iterator[Item]:
        return map(self.item, range(len(self)))
