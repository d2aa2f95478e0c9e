"""Many protobuf messages read at once: the first field of all of them, then the second, until all are at their end.

A step costs some numpy operations for all messages together, where a parser takes as long for each. What is written in an
unusual way (groups, tags and lengths of many bytes, anything broken) is not read: such a message is named, and is for a parser.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Positions = NDArray[np.int64]
WINDOW_BYTES = 8
_PADDING = bytes(4 * WINDOW_BYTES)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_USUAL_TYPES = np.zeros(8, dtype=np.bool_)
_USUAL_TYPES[[_VARINT, _FIXED64, _BYTES, _FIXED32]] = True
_TWO_BYTE_TAG = np.uint64(0x0185)
"""Field 16, four bytes: the flags of a span. Every other usual tag is one byte."""
_LOW_7, _BYTE = np.uint64(0x7F), np.uint64(0xFF)
_TAIL_MASKS = np.array([(1 << (8 * kept)) - 1 for kept in range(WINDOW_BYTES)] + [2**64 - 1], dtype=np.uint64)
"""Keeps so many of the first bytes of a window."""


class Text:
    """Bytes that are read at many positions at once."""

    def __init__(self, values: Sequence[bytes]) -> None:
        self.bytes = b"".join((*values, _PADDING))
        self.octets = np.frombuffer(self.bytes, dtype=np.uint8)
        count = len(self.bytes) - WINDOW_BYTES + 1
        self._windows: NDArray[np.uint64] = as_strided(
            self.octets[:WINDOW_BYTES].view("<u8"), shape=(count,), strides=(1,), writeable=False
        )

    def windows(self, at: Positions) -> NDArray[np.uint64]:
        """The eight bytes at each position, the first one lowest."""
        return self._windows[at]

    def has(self, at: Positions, wanted: bytes) -> NDArray[np.bool_]:
        """Whether these bytes are at each position."""
        found = np.ones(len(at), dtype=np.bool_)
        length = len(wanted)
        starts = [*range(0, length - WINDOW_BYTES + 1, WINDOW_BYTES)]
        if length % WINDOW_BYTES and length > WINDOW_BYTES:
            starts.append(length - WINDOW_BYTES)
        for start in starts:
            same = np.uint64(int.from_bytes(wanted[start : start + WINDOW_BYTES], "little"))
            found &= self._windows[at + start] == same
        if length < WINDOW_BYTES:
            found &= (self._windows[at] & _TAIL_MASKS[length]) == np.uint64(int.from_bytes(wanted, "little"))
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


class Step(NamedTuple):
    """One field of each message that has not ended before it."""

    rows: Positions
    """Which messages."""
    tags: NDArray[np.uint64]
    """The first byte of the tag."""
    starts: Positions
    """Where the value begins: of bytes, behind their length."""
    ends: Positions


class Walk(NamedTuple):
    """All fields of the messages; `whole` is False for a message that is for a parser."""

    steps: list[Step]
    whole: NDArray[np.bool_]


def walk(text: Text, starts: Positions, ends: Positions, fields_max: int) -> Walk:
    """The fields of the messages that lie between these positions, at most so many each."""
    whole = np.ones(len(starts), dtype=np.bool_)
    rows = np.flatnonzero(starts < ends)
    at, until = starts[rows], ends[rows]
    steps: list[Step] = []
    while len(rows):
        if len(steps) == fields_max:
            whole[rows] = False
            break
        windows = text.windows(at)
        tags = windows & _BYTE
        kinds = (tags & np.uint64(7)).astype(np.intp)
        two_bytes = (windows & np.uint64(0xFFFF)) == _TWO_BYTE_TAG
        lengths, width, short = _varints(windows >> np.uint64(8))
        # Behind a tag of one byte: a number of any width, eight or four bytes, or so many bytes as the number says.
        values = at + 1 + np.where(kinds == _BYTES, width, 0)
        sizes = np.select(
            [kinds == _BYTES, kinds == _VARINT, kinds == _FIXED64], [lengths.astype(np.int64), width, 8], default=4
        )
        following = np.where(two_bytes, at + 6, values + sizes)
        usual = two_bytes | (
            (tags >= 8) & (tags < 0x80) & _USUAL_TYPES[kinds] & (short | (kinds == _FIXED64) | (kinds == _FIXED32))
        )
        usual &= following <= until
        if not usual.all():
            whole[rows[~usual]] = False
            rows, tags, values, following, until = (each[usual] for each in (rows, tags, values, following, until))
        steps.append(Step(rows, tags, values, following))
        more = following < until
        if more.all():
            at = following
        else:
            rows, at, until = rows[more], following[more], until[more]
    return Walk(steps, whole)


def _varints(windows: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], Positions, NDArray[np.bool_]]:
    """(value, width in bytes, whether it is at most three bytes wide) of the number at the beginning of each window."""
    first, second, third = (windows >> np.uint64(8 * place) & _BYTE for place in range(3))
    one, two = first < 0x80, second < 0x80
    low = first & _LOW_7
    middle = low | ((second & _LOW_7) << np.uint64(7))
    value = np.where(one, first, np.where(two, middle, middle | ((third & _LOW_7) << np.uint64(14))))
    return value, np.where(one, 1, np.where(two, 2, 3)), one | two | (third < 0x80)


def whole_numbers(text: Text, at: Positions, widths: Positions) -> tuple[Positions, NDArray[np.bool_]]:
    """(value, whether it is one) of numbers that are so many bytes wide, five at most, each at its position."""
    windows = text.windows(at)
    values = np.zeros(len(at), dtype=np.int64)
    fits = (widths >= 1) & (widths <= 5)
    for place in range(5):
        octets = (windows >> np.uint64(8 * place) & _BYTE).astype(np.int64)
        inside = widths > place
        values |= np.where(inside, (octets & 0x7F) << (7 * place), 0)
        # All bytes but the last say that another one follows.
        fits &= ~inside | ((octets < 0x80) == (widths == place + 1))
    return values, fits
