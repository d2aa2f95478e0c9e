"""Many protobuf messages read at once: the first field of all of them, then the second, until all are at their end.

A step costs some numpy operations for all messages together, where a parser takes as long for each. What is written in an
unusual way (groups, tags and lengths of many bytes, anything broken) is not read: such a message is named, and is for a parser.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.formats.plain.wire_text import WINDOW_BYTES, Positions, Text
from rice_stream.quantities import UNKNOWN

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
