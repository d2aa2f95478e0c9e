"""Bytes of many messages, read at many positions at once: windows, rows of bytes, comparisons."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from rice_stream.events.together.octets import kept_bytes

Positions = NDArray[np.int64]
WINDOW_BYTES = 8
ROW_BYTES_MAX = 128
"""Of bytes that are taken from many positions side by side."""
_PADDING_BYTES = ROW_BYTES_MAX + WINDOW_BYTES
JOINED_BYTES_MAX = 4 * 1024 * 1024
"""Of texts that are put together in new memory; of longer ones getting it costs more than copying into memory that is kept."""
KEPT_BYTES_MAX = 25 * 1024 * 1024
"""Of memory that is kept: a block; texts that take more give it back."""
_TAIL_MASKS = np.array([(1 << (8 * kept)) - 1 for kept in range(WINDOW_BYTES)] + [2**64 - 1], dtype=np.uint64)
"""Keeps so many of the first bytes of a window."""

_memory: list[NDArray[np.uint8]] = []
"""What texts that are closed have left: new memory of megabytes takes as long as copying into it."""


class Text:
    """Bytes that are read at many positions at once, until it is closed."""

    def __init__(self, values: Sequence[bytes]) -> None:
        ends = list(accumulate(map(len, values), initial=0))
        size = ends[-1]
        self.starts = np.array(ends[:-1], dtype=np.int64)
        """Where each of the values begins."""
        self.ends = np.array(ends[1:], dtype=np.int64)
        self._memory: NDArray[np.uint8] | None = None
        self._views: dict[int, NDArray] = {}  # type: ignore[type-arg]
        if size <= JOINED_BYTES_MAX:
            self._view = memoryview(b"".join((*values, bytes(_PADDING_BYTES))))
            self.octets = np.frombuffer(self._view, dtype=np.uint8)
        else:
            self._memory = _of_size(size + _PADDING_BYTES)
            self.octets = self._memory[: size + _PADDING_BYTES]
            self._view = memoryview(self.octets)  # type: ignore[arg-type]
            for at, end, value in zip(ends, ends[1:], values, strict=False):
                self._view[at:end] = value
            self.octets[size:] = 0
        self._windows: NDArray[np.uint64] = as_strided(
            self.octets[:WINDOW_BYTES].view("<u8"),
            shape=(len(self.octets) - WINDOW_BYTES + 1,),
            strides=(1,),
            writeable=False,
        )

    def close(self) -> None:
        """Leave the memory to the next text. Nothing may be read of this one any more."""
        if self._memory is not None and len(self._memory) <= KEPT_BYTES_MAX and not _memory:
            _memory.append(self._memory)

    def part(self, at: int, end: int) -> bytes:
        """The bytes between two positions."""
        return bytes(self._view[at:end])

    def parts(self, starts: Positions, ends: Positions) -> list[bytes]:
        """The bytes between each two positions."""
        view = self._view
        return [view[at:end].tobytes() for at, end in zip(starts.tolist(), ends.tolist(), strict=True)]

    def windows(self, at: Positions) -> NDArray[np.uint64]:
        """The eight bytes at each position, the first one lowest."""
        return self._windows[at]

    def octets_at(self, at: Positions, size: int) -> NDArray[np.uint8]:
        """So many bytes from each position. Shape (n, size)."""
        return self._rows_of(size)[at].view(np.uint8).reshape(len(at), size)

    def has(self, at: Positions, wanted: bytes) -> NDArray[np.bool_]:
        """Whether these bytes are at each position; so many bytes there are of the text."""
        length = len(wanted)
        if self.all_have(at, wanted):  # nearly always
            return np.ones(len(at), dtype=np.bool_)
        same: NDArray[np.bool_] = (self.octets_at(at, length) == np.frombuffer(wanted, dtype=np.uint8)).all(axis=1)
        return same

    def all_have(self, at: Positions, wanted: bytes) -> bool:
        """Whether these bytes are at all of the positions."""
        return not wanted or self._rows_of(len(wanted))[at].tobytes() == wanted * len(at)

    def rows(self, at: Positions, lengths: Positions) -> NDArray[np.uint64]:
        """So many bytes from each position, at most ROW_BYTES_MAX, eight to a word, with zeros behind them. Shape (*of
        positions, words)."""
        kept = np.minimum(lengths, ROW_BYTES_MAX)
        words = max(-(-int(kept.max(initial=0)) // WINDOW_BYTES), 1)
        found = self._rows_of(words * WINDOW_BYTES)[at].view(np.uint64).reshape(*at.shape, words)
        return found & np.take(kept_bytes(words), kept, axis=0)

    def _rows_of(self, size: int) -> NDArray:  # type: ignore[type-arg]
        """A view of so many bytes at every position."""
        found = self._views.get(size)
        if found is None:
            count = len(self.octets) - size + 1
            found = np.ndarray((count,), dtype=f"V{size}", buffer=self.octets, strides=(1,))
            self._views[size] = found
        return found

    def equal(self, at: Positions, other: Positions, lengths: Positions) -> NDArray[np.bool_]:
        """Whether so many bytes at each position are those at the other one. Shape (n, k): columns of about the same lengths."""
        found = np.ones(at.shape, dtype=np.bool_)
        longest = lengths.max(axis=0, initial=0)
        for start in range(0, int(longest.max(initial=0)), WINDOW_BYTES):
            columns = np.flatnonzero(longest > start)
            left = lengths[:, columns] - start
            # Where nothing is left nothing is compared, wherever that is.
            step = np.where(left > 0, start, 0)
            differ = self._windows[at[:, columns] + step] ^ self._windows[other[:, columns] + step]
            found[:, columns] &= (differ & _TAIL_MASKS[np.clip(left, 0, WINDOW_BYTES)]) == 0
        return found

    def is_ascii(self, at: Positions, lengths: Positions) -> NDArray[np.bool_]:
        """Whether so many bytes at each position are all ASCII."""
        high = np.uint64(0x8080808080808080)
        found = np.ones(len(at), dtype=np.bool_)
        for start in range(0, int(lengths.max(initial=0)), WINDOW_BYTES):
            left = np.clip(lengths - start, 0, WINDOW_BYTES)
            reached = np.minimum(at + start, len(self._windows) - 1)
            found &= (self._windows[reached] & _TAIL_MASKS[left] & high) == 0
        return found


def _of_size(size: int) -> NDArray[np.uint8]:
    """At least so many bytes, with anything in them."""
    try:
        kept = _memory.pop()
    except IndexError:
        kept = np.zeros(0, dtype=np.uint8)
    return kept if len(kept) >= size else np.empty(max(size, min(2 * size, KEPT_BYTES_MAX)), dtype=np.uint8)
