"""A stream of COPY that is made before it is known when its rows are written."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.quantities import Ints

_TIME_BYTES = 8


class StreamPart(NamedTuple):
    """Some bytes of it, and where in them the time of each row goes: eight bytes, the highest first."""

    octets: NDArray[np.uint8]
    times_at: Ints


class TimedStream:
    """All parts. For one thread at a time."""

    def __init__(self, parts: Sequence[StreamPart]) -> None:
        self._parts = parts

    def at(self, instant_us: int) -> Iterator[memoryview]:
        """The bytes, with the same time in every row; they hold until another is asked for."""
        for octets, times_at in self._parts:
            if len(times_at):
                count = len(octets) - _TIME_BYTES + 1
                anywhere = np.ndarray((count,), dtype=">i8", buffer=octets.data, strides=(1,))
                anywhere[times_at] = instant_us
            yield octets.data
