"""The bytes of many events, read at many positions at once: whole windows, numbers, times, identifiers."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.times import parse_characters, readable_lengths
from rice_stream.quantities import NAME_LENGTH_MAX, TOKENS_LIMITS, UNKNOWN, Ints

Words = NDArray[np.uint64]
"""Bytes, eight to a word, the first one lowest."""
WORD_BYTES = 8
WINDOW_BYTES_MAX = 1024
_QUOTE, _COMMA = ord('"'), ord(",")
_NULL = np.uint64(int.from_bytes(b"null", "little"))
_TOKENS_MAX = int(TOKENS_LIMITS.up_to or 0)
_ID_BYTES_MAX = NAME_LENGTH_MAX


def _each(octet: int) -> np.uint64:
    return np.uint64(octet * 0x0101010101010101)


_ONE = np.uint64(1)
_ONES, _HIGH, _ZEROS = _each(0x01), _each(0x80), _each(ord("0"))
_SPACES, _QUOTES, _BACKSLASHES = _each(ord(" ")), _each(_QUOTE), _each(ord("\\"))
_FIRST_OF_WORD = np.array([(1 << (8 * kept)) - 1 for kept in range(WORD_BYTES)] + [2**64 - 1], dtype=np.uint64)
"""Keeps so many of the first bytes of a word."""
_UP_TO_END = np.array([0, *(8 * (WORD_BYTES - kept) for kept in range(1, WORD_BYTES + 1))], dtype=np.uint64)
"""By how many bits the first so many bytes of a word are away from its end."""
_NOT_DIGITS = np.array([(1 << (8 * (WORD_BYTES - kept))) - 1 for kept in range(WORD_BYTES)] + [0], dtype=np.uint64)
"""The bytes of a word before its last so many."""
_LEAST = np.array([0, 0, *(10**digits for digits in range(1, WORD_BYTES))], dtype=np.int64)
"""The least number of so many digits, without zeros before it."""


class Octets:
    """Values in their order, with room behind the last one. What lies between them has no comma."""

    def __init__(self, text: bytes, starts: Ints, ends: Ints) -> None:
        """Those between these positions of a text; one that ends before it begins is empty."""
        first, last = (int(starts[0]), int(max(starts[-1], ends[-1]))) if len(starts) else (0, 0)
        self._octets = np.empty(last - first + WINDOW_BYTES_MAX, dtype=np.uint8)
        self._octets[: last - first] = np.frombuffer(text, dtype=np.uint8, count=last - first, offset=first)
        self._octets[last - first :] = 0
        self.starts = starts - first
        self.ends = np.maximum(starts, ends) - first
        """Behind the last byte of each value."""
        self._words = self._windows_of(WORD_BYTES, "<u8")
        self._no_commas_between()

    @classmethod
    def of(cls, values: Sequence[bytes]) -> "Octets":
        """These values."""
        ends = np.cumsum(np.fromiter(map(len, values), dtype=np.int64, count=len(values)))
        starts = np.concatenate([[0], ends[:-1]]) if len(values) else ends
        return cls(b"".join(values), starts, ends)

    def _no_commas_between(self) -> None:
        gaps = self.starts[1:] - self.ends[:-1]
        widest = int(gaps.max(initial=0))
        if widest > WINDOW_BYTES_MAX:
            for start, end in zip(self.ends[:-1].tolist(), self.starts[1:].tolist(), strict=True):
                between = self._octets[start:end]
                between[between == _COMMA] = 0
        elif widest:
            behind = self.ends[:-1]
            found = self._windows_of(widest, f"V{widest}")[behind].view(np.uint8).reshape(len(gaps), widest) == _COMMA
            rows, columns = np.nonzero(found)
            within = columns < gaps[rows]
            self._octets[behind[rows[within]] + columns[within]] = 0

    @cached_property
    def text(self) -> bytes:
        """All of it."""
        return self._octets.tobytes()

    def value(self, row: int) -> bytes:
        """One of them."""
        return self._octets[self.starts[row] : self.ends[row]].tobytes()

    def commas(self) -> Ints:
        """Where all commas are."""
        return np.flatnonzero(self._octets == _COMMA)

    def at(self, positions: Ints) -> NDArray[np.uint8]:
        """The byte at each position."""
        return self._octets[positions]

    def has(self, positions: Ints, wanted: bytes) -> NDArray[np.bool_]:
        """Whether these bytes are at each position."""
        n = len(positions)
        found = self._windows_of(len(wanted), f"V{len(wanted)}")[positions]
        if found.tobytes() == wanted * n:
            return np.ones(n, dtype=np.bool_)
        octets = found.view(np.uint8).reshape(n, len(wanted))
        same: NDArray[np.bool_] = (octets == np.frombuffer(wanted, dtype=np.uint8)).all(axis=1)
        return same

    def rows(self, starts: Ints, lengths: Ints, words: int) -> Words:
        """So many bytes from each start, with zeros behind them; shape (n, words). No length is more than these hold."""
        width = words * WORD_BYTES
        found = self._windows_of(width, f"V{width}")[starts].view(np.uint64).reshape(len(starts), words)
        return found & np.take(kept_bytes(words), lengths, axis=0)

    def pieces(self, starts: Ints, ends: Ints) -> list[bytes]:
        """The bytes between each two positions."""
        size = int(ends[0] - starts[0]) if len(starts) else 0
        if size > 0 and (ends - starts == size).all():
            # Nearly always: ids of one producer are equally long.
            text = self._windows_of(size, f"V{size}")[starts].tobytes()
            return [text[at : at + size] for at in range(0, len(text), size)]
        text = self.text
        return [text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]

    def are_null(self, starts: Ints, lengths: Ints) -> NDArray[np.bool_]:
        """Whether the values that begin there, so many bytes long, are `null`."""
        four: NDArray[np.bool_] = lengths == len(b"null")
        if four.any():
            four &= (self._words[starts] & _FIRST_OF_WORD[4]) == _NULL
        return four

    def counts(self, starts: Ints, ends: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """(counts of tokens, whether that is what is written), UNKNOWN for null, of at most eight digits; in any shape."""
        lengths = ends - starts
        good = (lengths > 0) & (lengths <= WORD_BYTES)
        digits = np.where(good, lengths, WORD_BYTES)
        # No number stands among the first eight bytes of an event, so there are eight before its end.
        word = self._words[ends - WORD_BYTES] ^ _ZEROS
        word &= ~_NOT_DIGITS[digits]
        good &= _no_digits(word) == 0
        values = _number_of(word).astype(np.int64)
        # JSON has no zeros before a number.
        good &= (values >= _LEAST[digits]) & (values <= _TOKENS_MAX)
        if good.all():
            return values, good
        null = self.are_null(starts, lengths)
        values[null] = UNKNOWN
        return values, good | null

    def times(self, starts: Ints, ends: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """(epoch microseconds, understood) of times in quotes, in the usual spellings of UTC."""
        n = len(starts)
        lengths = ends - starts
        times_us = np.zeros(n, dtype=np.int64)
        understood = np.zeros(n, dtype=np.bool_)
        for characters in readable_lengths():
            width = characters + 2
            of_these = lengths == width
            if not of_these.any():
                continue
            rows = slice(None) if of_these.all() else np.flatnonzero(of_these)
            octets = self._windows_of(width, f"V{width}")[starts[rows]].view(np.uint8).reshape(-1, width)
            quoted = (octets[:, 0] == _QUOTE) & (octets[:, -1] == _QUOTE)
            found, good = parse_characters(octets[:, 1:-1])
            times_us[rows], understood[rows] = found, good & quoted
        return times_us, understood

    def are_identifiers(self, starts: Ints, ends: Ints) -> NDArray[np.bool_]:
        """Whether each is a text in quotes of 1 to 256 characters of ASCII, none of which is written in an odd way."""
        lengths = ends - starts - 2
        good = (lengths >= 1) & (lengths <= _ID_BYTES_MAX)
        good &= (self.at(starts) == _QUOTE) & (self.at(ends - 1) == _QUOTE)
        within = np.where(good, lengths, 0)
        words = -(-int(within.max(initial=0)) // WORD_BYTES)
        if not words:
            return good
        found = self._windows_of(words * WORD_BYTES, f"V{words * WORD_BYTES}")[starts + 1]
        rows = found.view(np.uint64).reshape(len(starts), words)
        odd = rows | (rows - _SPACES) & ~rows
        for of_each in (_QUOTES, _BACKSLASHES):
            differ = rows ^ of_each
            odd |= (differ - _ONES) & ~differ
        odd &= np.take(kept_bytes(words), within, axis=0) & _HIGH
        return good & ~odd.any(axis=1)

    def _windows_of(self, size: int, kind: str) -> NDArray:  # type: ignore[type-arg]
        """A view of so many bytes at every position."""
        return np.ndarray((len(self._octets) - size + 1,), dtype=kind, buffer=self._octets, strides=(1,))


def leading_digits(words: Words) -> tuple[Words, Ints, NDArray[np.bool_]]:
    """Of words that begin with a number of at most seven digits: these as `_number_of` takes them, how many there are, and
    whether there is such a number, written as JSON writes it."""
    found = words ^ _ZEROS
    no_digit = _no_digits(found)
    digits = (np.bitwise_count((no_digit & (~no_digit + _ONE)) - _ONE) >> 3).astype(np.int64)
    good = (digits >= 1) & (digits < WORD_BYTES)
    # JSON has no zeros before a number.
    good &= (digits == 1) | ((found & _FIRST_OF_WORD[1]) != 0)
    return found << _UP_TO_END[digits], digits, good


def number_of_digits(found: Words) -> Ints:
    """The numbers that `leading_digits` has found."""
    return _number_of(found).astype(np.int64)


def _no_digits(word: Words) -> Words:
    """The highest bit of each byte that is no digit, up to the first such byte; the word is taken from that of zeros."""
    return ((word + _each(0x76)) | word) & _HIGH


def _number_of(word: Words) -> Words:
    """The number whose eight digits the bytes of a word are, the first one lowest: pairs, then fours, then all eight."""
    word = (word * np.uint64(10 * 256 + 1)) >> np.uint64(8)
    word = ((word & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(100 * 65536 + 1)) >> np.uint64(16)
    return ((word & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(10_000 * 2**32 + 1)) >> np.uint64(32)


_kept: dict[int, Words] = {}


def kept_bytes(words: int) -> Words:
    """Row k keeps the first k bytes of so many words; shape (8 * words + 1, words)."""
    found = _kept.get(words)
    if found is None:
        kept = np.arange(words * WORD_BYTES)[None, :] < np.arange(words * WORD_BYTES + 1)[:, None]
        found = _kept[words] = (kept * np.uint8(0xFF)).astype(np.uint8).view(np.uint64)
    return found
