"""Texts of many cells as matrices of bytes, a row for each cell: numbers and instants are written without an object for each."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rice_stream.instants import DAY_US, SECOND_US
from rice_stream.quantities import Ints
from rice_stream.store.copied import CopiedTexts

PAD = 0xFF
"""Fills rows up. No byte of UTF-8 is this one."""
Matrix = NDArray[np.uint8]

_QUAD = 10_000
_DIGITS = 4
"""Of a quad: numbers are written four digits at a time."""


def of_texts(texts: Sequence[str]) -> Matrix:
    """Each text in UTF-8, filled up to the length of the longest."""
    return of_encoded(CopiedTexts.of([text.encode() for text in texts]))


def of_encoded(texts: CopiedTexts) -> Matrix:
    """The same of texts that are in UTF-8 already."""
    lengths = np.diff(texts.offsets)
    width = int(lengths.max(initial=0))
    written = texts.flat[texts.offsets[0] : texts.offsets[-1]]
    if len(written) == width * len(texts):
        return written.reshape(len(texts), width)
    matrix = np.full((len(texts), width), PAD, dtype=np.uint8)
    matrix[np.arange(width) < lengths[:, None]] = written
    return matrix


def of_numbers(values: Ints) -> Matrix:
    """Whole numbers in decimal, filled up at the left."""
    is_negative = values < 0
    left: NDArray[np.uint64] = np.abs(values).view(np.uint64)
    digits = len(str(int(left.max(initial=0))))
    quads = -(-digits // _DIGITS)
    written = np.empty((len(values), quads), dtype=np.uint32)
    for place in reversed(range(quads)):
        higher = left // np.uint64(_QUAD)
        quad = (left - higher * np.uint64(_QUAD)).astype(np.int64)
        table = _LAST if place == quads - 1 else _BEFORE
        written[:, place] = table[quad + _QUAD * (higher == 0)]
        left = higher
    matrix = written.view(np.uint8)[:, quads * _DIGITS - digits :]
    if not is_negative.any():
        return matrix
    sign = np.where(is_negative, ord("-"), PAD).astype(np.uint8)
    return np.concatenate([sign[:, None], matrix], axis=1)


def of_instants(values: Ints) -> Matrix:
    """Epoch microseconds (one at least, of the years 1000 to 9999) as `rfc3339` writes them: with three or six digits of a
    fraction, or with none."""
    days = values // DAY_US
    left: NDArray[np.uint64] = (values - days * DAY_US).view(np.uint64)
    matrix = np.empty((len(values), len("2026-10-01T00:00:00.000000Z")), dtype=np.uint8)
    matrix[:, :10] = _dates(days)
    matrix[:, [10, 13, 16, 19, 26]] = np.frombuffer(b"T::.Z", dtype=np.uint8)
    fraction = left % np.uint64(SECOND_US)
    for place, unit_us in _PARTS_OF_A_DAY:
        pair = left // np.uint64(unit_us)
        left = left - pair * np.uint64(unit_us)
        matrix[:, place : place + 2] = _PAIRS[pair.view(np.int64)].view(np.uint8).reshape(-1, 2)
    matrix[:, 23:26][fraction % np.uint64(1_000) == 0] = PAD
    matrix[:, 19:26][fraction == 0] = PAD
    return matrix


def _dates(days: Ints) -> Matrix:
    first, last = int(days.min()), int(days.max())
    # What many rows have in common is found without sorting them, where they are of a few months.
    if last - first < _DAYS_FEW:
        present, places = np.arange(first, last + 1), days - first
    else:
        present, places = np.unique(days, return_inverse=True)
    matrix: Matrix = of_texts([str(day) for day in present.astype("datetime64[D]")])[places]
    return matrix


def in_lines(columns: Sequence[Matrix], between: bytes, end: bytes) -> bytearray:
    """Rows of cells, one after another: with a byte between cells, and with `end` after each row."""
    rows = len(columns[0])
    width = sum(column.shape[1] + 1 for column in columns) - 1 + len(end)
    written = bytearray(rows * width)
    lines = np.frombuffer(written, dtype=np.uint8).reshape(rows, width)
    place = 0
    for number, column in enumerate(columns):
        if number:
            lines[:, place] = between[0]
            place += 1
        lines[:, place : place + column.shape[1]] = column
        place += column.shape[1]
    lines[:, place:] = np.frombuffer(end, dtype=np.uint8)
    return written.translate(None, bytes([PAD]))


def _quads() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Four digits of a number by its value; after the first _QUAD those before which there are none, without leading zeros. In the
    first table, of quads that others come after, nothing at all is left of 0."""
    numbers, units = np.arange(_QUAD)[:, None], np.array([1_000, 100, 10, 1])
    whole = (numbers // units % 10 + ord("0")).astype(np.uint8)
    leading = np.where(numbers < units, np.uint8(PAD), whole)
    before = np.concatenate([whole, leading])
    last = before.copy()
    last[_QUAD, -1] = ord("0")
    return before.view(np.uint32)[:, 0], last.view(np.uint32)[:, 0]


_BEFORE, _LAST = _quads()
_PAIRS = np.frombuffer("".join(f"{number:02}" for number in range(100)).encode(), dtype=np.uint16)
_DAYS_FEW = 400
_PARTS_OF_A_DAY = (
    (11, 3_600 * SECOND_US),
    (14, 60 * SECOND_US),
    (17, SECOND_US),
    (20, SECOND_US // 100),
    (22, SECOND_US // 10_000),
    (24, 1),
)
"""Where in the text of an instant two digits are, and what one of them counts, in microseconds."""
