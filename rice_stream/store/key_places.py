"""Where event keys lie among others that are in their order, thousands at a time."""

import numpy as np
from numpy.typing import NDArray

from rice_stream.quantities import Ints

KEY_BYTES = 16


def keys_of(joined: bytes) -> NDArray[np.uint8]:
    """Event keys that were written one after the other, shape (n, 16)."""
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, KEY_BYTES)


def places_of(ordered: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> Ints:
    """The place of each wanted key, shape (m, 16), among different ones in their order, shape (n, 16); -1: it is not among them.

    >>> ordered = keys_of(bytes(15) + b"\\x01" + bytes(15) + b"\\x03")
    >>> places_of(ordered, keys_of(bytes(15) + b"\\x03" + bytes(15) + b"\\x02")).tolist()
    [1, -1]
    """
    first, second = _halves(ordered)
    wanted_first, wanted_second = _halves(wanted)
    at = np.searchsorted(first, wanted_first)
    last = len(ordered) - 1
    if last < 0:
        return np.full(len(wanted), -1, dtype=np.int64)
    while True:
        here = np.minimum(at, last)
        is_half = first[here] == wanted_first
        # Few keys share their first half: that of one has its time, and random bits behind it.
        behind = is_half & (second[here] < wanted_second) & (at <= last)
        if not behind.any():
            return np.where(is_half & (second[here] == wanted_second) & (at <= last), at, -1)
        at = at + behind


def _halves(event_keys: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    numbers = np.ascontiguousarray(event_keys).view(">u8").astype(np.uint64)
    return numbers[:, 0], numbers[:, 1]
