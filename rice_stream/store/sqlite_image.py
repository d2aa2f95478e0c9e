"""A table as the bytes of an SQLite database, built by numpy instead of row by row: by the file format that SQLite promises to read
for ever (https://www.sqlite.org/fileformat2.html).

An integer takes eight bytes, whatever its value, so that rows with the same nulls have one layout; lengths that differ between such
rows take two. Columns are named `c0`, `c1` and so on.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.keyed import pick
from rice_stream.quantities import Ints
from rice_stream.store.laid_out_rows import ROWS_OF_LAYOUT, RowColumn, by_value, nulls_of, put

TABLE = "rows"
ROWS_MAX = 100_000
"""Of one image: the pages of so many have room on the one page that is above them, however long their texts are."""
COLUMNS_MAX = 120
TEXT_BYTES_MAX = 2_000

_PAGE_BYTES = 65_536
_FIRST_ROW = 1 << 14
"""From here on, up to two million, the number of a row takes three bytes."""
_NULL, _INTEGER, _KEY, _EMPTY_TEXT = 0, 6, 12 + 2 * 16, 13
"""Types of values, as the format numbers them; a text of n bytes is `_EMPTY_TEXT` + 2 n."""
_LEAF, _INNER = 13, 5
_DATABASE_HEAD = struct.Struct(">16sH6B12I20xII")
_PAGE_HEAD = struct.Struct(">BHHHB")
_VERSION = 3_007_000
"""The first that reads it."""


class _Pages(NamedTuple):
    """Where n rows go."""

    first_rows: list[int]
    """Of each page, and n."""
    contents_at: list[int]
    """Where the first row of each page begins, within the page."""
    rows_at: Ints
    """Where each row begins, within its page: shape (n,)."""
    page_of: Ints
    """Shape (n,)."""


def table_image(columns: Sequence[RowColumn], texts: Sequence[bytes] | None = None) -> NDArray[np.uint8]:
    """The database with the table TABLE of these rows, in their order: at least one, at most ROWS_MAX. Texts, if any, are its last
    column."""
    n = len(columns[0].values)
    if not 0 < n <= ROWS_MAX or len(columns) > COLUMNS_MAX:
        raise ValueError(f"no image of {n} rows of {len(columns)} columns")
    lengths = np.zeros(n, dtype=np.int64)
    if texts is not None:
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=n)
        if lengths.max() > TEXT_BYTES_MAX:
            raise ValueError(f"no image of a text of {lengths.max()} bytes")
    places, codes = by_value(nulls_of(columns, n))
    kinds = tuple((column.is_key, column.nullable) for column in columns)
    layouts = [_layout(kinds, code, has_text=texts is not None) for code in codes]
    sizes = np.empty(n, dtype=np.int64)
    for of_layout, layout in zip(places, layouts, strict=True):
        sizes[of_layout] = layout.itemsize
    pages = _pages(sizes + lengths)
    count = len(pages.contents_at)
    first_page = 1 if count == 1 else 2
    image = np.zeros((first_page + count) * _PAGE_BYTES, dtype=np.uint8)
    starts = (pages.page_of + first_page) * _PAGE_BYTES + pages.rows_at
    for of_layout, layout in zip(places, layouts, strict=True):
        for first in range(0, len(of_layout), ROWS_OF_LAYOUT):
            rows = of_layout[first : first + ROWS_OF_LAYOUT]
            put(image, starts[rows], _rows(columns, rows, layout, lengths))
    for of_length, length in zip(*by_value(lengths), strict=True):
        if length and texts is not None:
            joined = b"".join(pick(texts, of_length))
            put(image, starts[of_length] + sizes[of_length], np.frombuffer(joined, dtype=f"V{length}"))
    _put_page_heads(image, first_page, pages)
    if count > 1:
        _put_tree(image, first_page, pages)
    _put_schema(image, len(columns) + (texts is not None))
    return image


def _pages(sizes: Ints) -> _Pages:
    """Rows of these sizes, as many on each page as have room; they fill it from its end."""
    n = len(sizes)
    before = np.concatenate(([0], np.cumsum(sizes)))
    with_pointers = before + 2 * np.arange(n + 1)
    first_rows = [0]
    while first_rows[-1] < n:
        room = with_pointers[first_rows[-1]] + _PAGE_BYTES - _PAGE_HEAD.size
        first_rows.append(int(np.searchsorted(with_pointers, room, "right")) - 1)
    bounds = np.array(first_rows)
    contents_at = _PAGE_BYTES - np.diff(before[bounds])
    page_of = np.repeat(np.arange(len(contents_at)), np.diff(bounds))
    return _Pages(first_rows, contents_at.tolist(), before[:-1] + (contents_at - before[bounds[:-1]])[page_of], page_of)


@lru_cache(maxsize=4096)
def _layout(kinds: tuple[tuple[bool, bool], ...], nulls: int, *, has_text: bool) -> NDArray[np.void]:
    """A row up to its text, all of it that such rows have in common: its length, its number, the types of its values, and these."""
    nullable = [place for place, (_, may_be) in enumerate(kinds) if may_be]
    absent = {place for bit, place in enumerate(nullable) if nulls >> bit & 1}
    types = [_NULL if place in absent else _KEY if is_key else _INTEGER for place, (is_key, _) in enumerate(kinds)]
    fields: list[Any] = [("length", "u1", 2), ("number", "u1", 3), ("head", "u1", 1 + len(types))]
    if has_text:
        fields.append(("text_type", "u1", 2))
    fields += [(f"c{place}", "V16" if kind == _KEY else ">i8") for place, kind in enumerate(types) if kind != _NULL]
    template = np.zeros((), dtype=np.dtype(fields))
    template["head"] = [1 + len(types) + 2 * has_text, *types]
    return template


def _rows(
    columns: Sequence[RowColumn], chosen: NDArray[np.intp], layout: NDArray[np.void], lengths: Ints
) -> NDArray[np.void]:
    """The chosen rows, all of this layout, up to their text."""
    names: Any = layout.dtype.names
    rows = np.empty(len(chosen), dtype=layout.dtype)
    rows[:] = layout
    beside = layout.dtype["length"].itemsize + layout.dtype["number"].itemsize
    rows["length"] = _varints(layout.itemsize - beside + lengths[chosen], 2)
    rows["number"] = _varints(_FIRST_ROW + chosen, 3)
    if "text_type" in names:
        rows["text_type"] = _varints(_EMPTY_TEXT + 2 * lengths[chosen], 2)
    for place, column in enumerate(columns):
        if f"c{place}" in names:
            rows[f"c{place}"] = column.values[chosen]
    return rows


def _varints(values: Ints, size: int) -> NDArray[np.uint8]:
    """Each value in so many bytes of seven bits each, the highest first: shape (n, size)."""
    octets = np.empty((len(values), size), dtype=np.uint8)
    for place in range(size):
        last = place == size - 1
        octets[:, place] = (values >> 7 * (size - 1 - place)) & 0x7F | (0 if last else 0x80)
    return octets


def _put_page_heads(image: NDArray[np.uint8], first_page: int, pages: _Pages) -> None:
    pointers = pages.rows_at.astype(">u2")
    for page, content_at in enumerate(pages.contents_at):
        of_page = pointers[pages.first_rows[page] : pages.first_rows[page + 1]]
        _put_page(image, first_page + page, _page_head(_LEAF, len(of_page), content_at) + of_page.tobytes())


def _put_tree(image: NDArray[np.uint8], first_page: int, pages: _Pages) -> None:
    """The page above all others: of each but the last, its number and that of its last row."""
    last_rows = _varints(_FIRST_ROW + np.array(pages.first_rows[1:-1]) - 1, 3)
    cells = [struct.pack(">I3s", first_page + 1 + page, row.tobytes()) for page, row in enumerate(last_rows)]
    content_at = _PAGE_BYTES - 7 * len(cells)
    head = _page_head(_INNER, len(cells), content_at) + struct.pack(">I", first_page + 1 + len(cells))
    pointers = np.arange(content_at, _PAGE_BYTES, 7).astype(">u2")
    _put_page(image, 1, head + pointers.tobytes(), b"".join(cells))


def _put_schema(image: NDArray[np.uint8], columns: int) -> None:
    """The first page: what database it is, and the table with its page."""
    names = ", ".join(f"c{place}" for place in range(columns))
    values = [b"table", TABLE.encode(), TABLE.encode(), b"\x02", f"CREATE TABLE {TABLE} ({names})".encode()]
    types = [_EMPTY_TEXT + 2 * len(value) for value in values]
    types[3] = 1  # an integer of one byte
    head = _varints(np.array([1 + 2 * len(types), *types]), 2).tobytes()[1:]
    row = head + b"".join(values)
    cell = _varints(np.array([len(row)]), 2).tobytes() + b"\x01" + row
    content_at = _PAGE_BYTES - len(cell)
    database = _DATABASE_HEAD.pack(
        b"SQLite format 3\0", 1, 1, 1, 0, 64, 32, 32,
        1, len(image) // _PAGE_BYTES, 0, 0, 1, 4, 0, 0, 1, 0, 0, 0, 1, _VERSION,
    )  # fmt: skip
    pointer = struct.pack(">H", content_at)
    _put_page(image, 0, database + _page_head(_LEAF, 1, content_at) + pointer, cell)


def _page_head(kind: int, cells: int, content_at: int) -> bytes:
    return _PAGE_HEAD.pack(kind, 0, cells, content_at % _PAGE_BYTES, 0)


def _put_page(image: NDArray[np.uint8], page: int, begins: bytes, ends: bytes = b"") -> None:
    start, end = page * _PAGE_BYTES, (page + 1) * _PAGE_BYTES
    image[start : start + len(begins)] = np.frombuffer(begins, dtype=np.uint8)
    image[end - len(ends) : end] = np.frombuffer(ends, dtype=np.uint8)
