"""Many protobuf messages read at once: the first field of all of them, then the second, until all are at their end.

A step costs some numpy operations for all messages together, where a parser takes as long for each. What is written in an
unusual way (groups, tags and lengths of many bytes, anything broken) is not read: such a message is named, and is for a parser.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from rice_stream.events.together.octets import kept_bytes
from rice_stream.quantities import UNKNOWN

Positions = NDArray[np.int64]
WINDOW_BYTES = 8
ROW_BYTES_MAX = 128
"""Of bytes that are taken from many positions side by side."""
_PADDING_BYTES = ROW_BYTES_MAX + WINDOW_BYTES
KEPT_BYTES_MAX = 17 * 1024 * 1024
"""Of memory that is kept; texts that take more give it back."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_USUAL_TYPES = np.zeros(8, dtype=np.bool_)
_USUAL_TYPES[[_VARINT, _FIXED64, _BYTES, _FIXED32]] = True
_TWO_BYTE_TAG = b"\x85\x01"
"""Field 16, four bytes: the flags of a span. Every other usual tag is one byte."""
_LONG = 0x80
"""A byte of a number from which on another one follows."""
_FIELD_1 = 0x08
_NUMBER_BYTES_MAX = 5
_BYTE = np.uint64(0xFF)
_8, _9 = np.uint64(8), np.uint64(9)
_LOW, _HIGH = np.uint64(0x7F), np.uint64(0x7F << 7)
_TAG_AND_LONG, _THIRD_LONG = np.uint64(0x80FF), np.uint64(0x800000)
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
        self._memory = _of_size(size + _PADDING_BYTES)
        self.octets = self._memory[: size + _PADDING_BYTES]
        self._views: dict[int, NDArray] = {}  # type: ignore[type-arg]
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
        if len(self._memory) <= KEPT_BYTES_MAX and not _memory:
            _memory.append(self._memory)

    def part(self, at: int, end: int) -> bytes:
        """The bytes between two positions."""
        return bytes(self._view[at:end])

    def windows(self, at: Positions) -> NDArray[np.uint64]:
        """The eight bytes at each position, the first one lowest."""
        return self._windows[at]

    def has(self, at: Positions, wanted: bytes) -> NDArray[np.bool_]:
        """Whether these bytes are at each position; so many bytes there are of the text."""
        n, length = len(at), len(wanted)
        if self.all_have(at, wanted):  # nearly always
            return np.ones(n, dtype=np.bool_)
        octets = self._rows_of(length)[at].view(np.uint8).reshape(n, length)
        same: NDArray[np.bool_] = (octets == np.frombuffer(wanted, dtype=np.uint8)).all(axis=1)
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


class WalkStep(NamedTuple):
    """One field of each message that has not ended before it."""

    rows: Positions
    """Which messages."""
    tag: int
    """The first byte of the tag of all of them, or of the first one."""
    tags: NDArray[np.uint8] | None
    """The first byte of the tag of each; None: it is the same of all."""
    starts: Positions
    """Where the value begins: of bytes, behind their length."""
    ends: Positions

    def of_tag(self, tag: int) -> tuple[Positions, Positions, Positions]:
        """(messages, starts, ends) of the fields with this tag."""
        if self.tags is None:
            none = slice(None if self.tag == tag else 0, None if self.tag == tag else 0)
            return self.rows[none], self.starts[none], self.ends[none]
        chosen = self.tags == tag
        return self.rows[chosen], self.starts[chosen], self.ends[chosen]

    def all_tags(self) -> list[int]:
        """Which tags there are."""
        found: list[int] = [self.tag] if self.tags is None else np.unique(self.tags).tolist()
        return found


class Walk(NamedTuple):
    """All fields of the messages; `whole` is False for a message that is for a parser."""

    steps: list[WalkStep]
    whole: NDArray[np.bool_]


def walk(text: Text, starts: Positions, ends: Positions, fields_max: int) -> Walk:
    """The fields of the messages that lie between these positions, at most so many each."""
    whole = np.ones(len(starts), dtype=np.bool_)
    rows = np.flatnonzero(starts < ends)
    at, until = starts[rows], ends[rows]
    steps: list[WalkStep] = []
    while len(rows):
        if len(steps) == fields_max:
            whole[rows] = False
            break
        windows = text.windows(at)
        first = int(windows[0]) & 0xFF
        tags: NDArray[np.uint8] | None = None
        usual: NDArray[np.bool_] | None = None
        short = _short_bytes(windows, at, first)
        if short is not None:
            values, following = short
        else:
            octets = windows.view(np.uint8).reshape(-1, WINDOW_BYTES)
            if _FIELD_1 <= first < _LONG and bool((octets[:, 0] == first).all()):
                values, following, usual = _alike(octets, at, first)
            else:
                tags = octets[:, 0]
                values, following, usual = _mixed(octets, at)
        more = following < until
        if (usual is None or usual.all()) and more.all():
            steps.append(WalkStep(rows, first, tags, values, following))
            at = following
            continue
        good = following <= until
        if usual is not None:
            good &= usual
        if not good.all():
            whole[rows[~good]] = False
            rows, until, more = rows[good], until[good], more[good]
            tags = None if tags is None else tags[good]
            values, following = values[good], following[good]
            if not len(rows):
                break
        steps.append(WalkStep(rows, first, tags, values, following))
        rows, at, until = rows[more], following[more], until[more]
    return Walk(steps, whole)


def _short_bytes(windows: NDArray[np.uint64], at: Positions, tag: int) -> tuple[Positions, Positions] | None:
    """(start, end) of fields of bytes that all have this tag and a length of one byte, or all one of two; None: they have not."""
    if tag & 7 != _BYTES or not _FIELD_1 <= tag < _LONG:
        return None
    heads = windows & _TAG_AND_LONG
    if (heads == np.uint64(tag)).all():
        values = at + 2
        return values, values + ((windows >> _8) & _LOW).astype(np.int64)
    if (heads == np.uint64(tag | _LONG << 8)).all() and not (windows & _THIRD_LONG).any():
        values = at + 3
        low, high = (windows >> _8) & _LOW, (windows >> _9) & _HIGH
        return values, values + (low | high).astype(np.int64)
    return None


_Found = tuple[Positions, Positions, NDArray[np.bool_]]
"""Where values begin, where they end, and whether they are written as usual."""


def _alike(octets: NDArray[np.uint8], at: Positions, tag: int) -> _Found:
    """Of fields with the same tag of one byte, as nearly all are that are read at a time."""
    kind = tag & 7
    if kind == _BYTES:
        lengths, width, short = _varints(octets)
        values = at + width
        return values, values + lengths, short
    if kind == _VARINT:
        _, width, short = _varints(octets)
        return at + 1, at + width, short
    usual = np.full(len(at), bool(_USUAL_TYPES[kind]), dtype=np.bool_)
    return at + 1, at + (9 if kind == _FIXED64 else 5), usual


def _mixed(octets: NDArray[np.uint8], at: Positions) -> _Found:
    """Of fields with any tags."""
    tags = octets[:, 0]
    kinds = (tags & 7).astype(np.intp)
    two_bytes = (tags == _TWO_BYTE_TAG[0]) & (octets[:, 1] == _TWO_BYTE_TAG[1])
    lengths, width, short = _varints(octets)
    # Behind a tag of one byte: a number of any width, eight or four bytes, or so many bytes as the number says.
    values = np.where(kinds == _BYTES, at + width, at + 1)
    sizes = np.select([kinds == _BYTES, kinds == _VARINT, kinds == _FIXED64], [lengths, width - 1, 8], default=4)
    following = np.where(two_bytes, at + 6, values + sizes)
    usual = (tags >= _FIELD_1) & (tags < _LONG) & _USUAL_TYPES[kinds]
    usual &= short | (kinds == _FIXED64) | (kinds == _FIXED32)
    return values, following, two_bytes | usual


def messages(text: Text, tags: Positions) -> tuple[Positions, Positions, NDArray[np.bool_]]:
    """(start, end, whether the length is at most three bytes wide) of what lies behind each tag and its length."""
    lengths, width, short = _varints(text.windows(tags).view(np.uint8).reshape(-1, WINDOW_BYTES))
    return tags + width, tags + width + lengths, short


def _varints(octets: NDArray[np.uint8]) -> tuple[Positions, Positions, NDArray[np.bool_]]:
    """(value, bytes with the tag before it, whether it is at most three bytes wide) of the number behind a tag of one byte."""
    first, second, third = octets[:, 1].astype(np.int64), octets[:, 2], octets[:, 3]
    one = first < _LONG
    if one.all():
        return first, np.full(len(first), 2, dtype=np.int64), one
    two = second < _LONG
    high = np.where(two, second, (second & 0x7F) | (third.astype(np.int64) << 7))
    value = np.where(one, first, (first & 0x7F) | (high << 7))
    return value, np.where(one, 2, np.where(two, 3, 4)), one | two | (third < _LONG)


def whole_numbers(text: Text, at: Positions, widths: Positions) -> tuple[Positions, NDArray[np.bool_]]:
    """(value, whether it is one) of numbers that are so many bytes wide, five at most, each at its position, in
    any shape; UNKNOWN of others."""
    fits = (widths >= 1) & (widths <= _NUMBER_BYTES_MAX)
    windows = text.windows(np.where(fits, at, 0))
    values = np.zeros(at.shape, dtype=np.int64)
    for place in range(int(widths[fits].max(initial=0))):
        octet = (windows >> np.uint64(8 * place) & _BYTE).astype(np.int64)
        inside = widths > place
        values |= np.where(inside, (octet & 0x7F) << (7 * place), 0)
        # All bytes but the last say that another one follows.
        fits &= ~inside | ((octet < _LONG) == (widths == place + 1))
    return np.where(fits, values, UNKNOWN), fits
