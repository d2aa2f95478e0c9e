"""Usage objects that are printed alike but for their numbers, of many spans at once.

What a number stands for is not known here: it is learnt by having the reader of one object (`printed_values.usage_of`) read the
same text with other numbers. So whatever that reads, this reads alike.
"""

import re
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.formats.plain.fields import NotPlainError
from rice_stream.events.formats.plain.printed_values import PRINTED_BYTES_MAX, json_of, usage_of
from rice_stream.events.formats.plain.wire_text import WINDOW_BYTES, Positions, Text
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.records import RefusedError
from rice_stream.events.together.octets import leading_digits, number_of_digits
from rice_stream.quantities import UNKNOWN, Ints

_NUMBER = re.compile(rb"(?<=[ :,\[])(?:0|[1-9][0-9]{0,6})(?=[ ,}\]])")
"""A whole number that stands by itself. Within a text it is one as well, which does no harm: it counts for nothing."""
_NUMBERS_MAX = 48
CLASSES = 3
"""Tokens read from a cache, written to one, of reasoning, as `usage_of` gives them."""
_PROBLEMS = (*JSON_ERRORS, NotPlainError, RefusedError, UnicodeDecodeError)


class PrintedUsage:
    """How some usage objects are printed, and which of their numbers count."""

    def __init__(self, between: tuple[bytes, ...], sources: list[list[int]]) -> None:
        """`between`: what stands before, between and behind the numbers. `sources`: of each class the numbers of which the
        largest is its count; none where it has no count."""
        self._between = between
        self._sources = sources
        self._counted = frozenset(chain.from_iterable(sources))
        self._room = sum(map(len, between)) + WINDOW_BYTES * len(between)

    def read(self, text: Text, starts: Positions, ends: Positions) -> tuple[Ints, NDArray[np.bool_]]:
        """(counts, shape (n, CLASSES), UNKNOWN for none; whether an object is printed so) of the texts between these positions."""
        good = starts <= len(text.octets) - self._room
        at = np.where(good, starts, 0)
        counts: Ints = np.full((len(starts), CLASSES), UNKNOWN, dtype=np.int64)
        if len(text.octets) < self._room:
            return counts, np.zeros_like(good)
        numbers: dict[int, Ints] = {}
        for place, before in enumerate(self._between[:-1]):
            good &= text.has(at, before)
            found, digits, are_digits = leading_digits(text.windows(at + len(before)))
            good &= are_digits
            if place in self._counted:
                numbers[place] = number_of_digits(found)
            at += len(before) + digits
        good &= text.has(at, self._between[-1]) & (at + len(self._between[-1]) == ends)
        for of_class, source in enumerate(self._sources):
            if source:
                counts[:, of_class] = np.max([numbers[place] for place in source], axis=0)
        return counts, good


def printed_like(printed: bytes) -> PrintedUsage | None:
    """How this one is printed; None: such are for the reader of one."""
    between = tuple(_NUMBER.split(printed))
    return None if len(between) > _NUMBERS_MAX else _learnt(between)


@lru_cache(maxsize=1024)
def _learnt(between: tuple[bytes, ...]) -> PrintedUsage | None:
    numbers = len(between) - 1
    written = b"".join(between)
    # A backslash may make a digit a part of a name.
    if b"\\" in written or len(written) + WINDOW_BYTES * numbers > PRINTED_BYTES_MAX:
        return None
    try:
        written.decode()
        alone = [_said(between, [int(place == other) for other in range(numbers)]) for place in range(numbers)]
        sources = [[place for place, said in enumerate(alone) if said[one] == 1] for one in range(CLASSES)]
        largest = tuple(max(source, default=UNKNOWN) for source in sources)
        return PrintedUsage(between, sources) if _said(between, list(range(numbers))) == largest else None
    except _PROBLEMS:
        return None


def _said(between: tuple[bytes, ...], numbers: list[int]) -> tuple[int, ...]:
    """What the object says with these numbers. NotPlainError: a place as well, which is for the reader of one."""
    pieces = chain.from_iterable(zip(between, (b"%d" % number for number in numbers), strict=False))
    said, geo = usage_of(json_of(b"".join(pieces) + between[-1]))
    if geo is not None:
        raise NotPlainError
    return said
