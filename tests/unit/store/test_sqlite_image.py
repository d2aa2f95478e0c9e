"""An image is a database that SQLite finds nothing wrong with, and that says what it was made of, in that order."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.quantities import UNKNOWN
from rice_stream.store.laid_out_rows import RowColumn, keys_as_values
from rice_stream.store.sqlite_image import COLUMNS_MAX, ROWS_MAX, TABLE, TEXT_BYTES_MAX, table_image

PAGE = 65_536
TREE_ENTRY = 9
INTEGERS = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=70)


def column(values: Sequence[int], *, nullable: bool = False) -> RowColumn:
    return RowColumn("any", np.array(values, dtype=np.int64), nullable)


def rows_of(image: Any) -> list[tuple[Any, ...]]:
    """What SQLite reads, after it has looked at all of it."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(image.data)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute(f"SELECT count(*) = count(DISTINCT rowid) FROM {TABLE}").fetchone() == (1,)
        return connection.execute(f"SELECT * FROM {TABLE}").fetchall()


@given(
    st.lists(
        st.tuples(INTEGERS, st.one_of(st.just(UNKNOWN), INTEGERS), st.binary(min_size=16, max_size=16), INTEGERS, TEXT),
        min_size=1,
        max_size=40,
    )
)
def test_sqlite_reads_what_was_put_in(rows: list[tuple[int, int, bytes, int, str]]) -> None:
    """The largest numbers, nulls, and texts of any length, none included; -1 stays what it is where it is not null."""
    first, nullable, keys, other, texts = zip(*rows, strict=True)
    columns = [
        column(first),
        column(nullable, nullable=True),
        RowColumn("key", keys_as_values(np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, 16))),
        column(other, nullable=True),
    ]
    expected = [(a, None if b == UNKNOWN else b, key, None if c == UNKNOWN else c, text) for a, b, key, c, text in rows]
    assert rows_of(table_image(columns, [text.encode() for text in texts])) == expected
    assert rows_of(table_image(columns)) == [row[:-1] for row in expected]


@pytest.mark.parametrize("n", [1, 1_023, 1_024, 1_025, 5_000])
@pytest.mark.parametrize("lengths", [(20,), (0, 57, 58, 300, TEXT_BYTES_MAX)])
def test_rows_fill_as_many_pages_as_they_need(n: int, lengths: Sequence[int]) -> None:
    """Of one page, and of many under one; texts on both sides of the length from which on their type takes a byte more."""
    numbers = list(range(n))
    texts = [b"t" * lengths[number % len(lengths)] for number in numbers]
    image = table_image([column(numbers), column([number % 3 - 1 for number in numbers], nullable=True)], texts)
    assert rows_of(image) == [
        (number, None if number % 3 == 0 else number % 3 - 1, text.decode())
        for number, text in zip(numbers, texts, strict=True)
    ]
    assert len(image) % PAGE == 0


def test_the_largest_image_has_room_under_one_page() -> None:
    """Of as many columns as there may be, all keys, with texts as long as they may be."""
    n = 60
    keys = keys_as_values(np.zeros((n, 16), dtype=np.uint8))
    image = table_image([RowColumn("key", keys)] * COLUMNS_MAX, [b"t" * TEXT_BYTES_MAX] * n)
    rows_of_page = n // (len(image) // PAGE - 2)
    assert -(-ROWS_MAX // rows_of_page) * TREE_ENTRY < PAGE - TREE_ENTRY


@pytest.mark.parametrize(
    ("columns", "texts"),
    [
        ([column([])], None),
        ([column([0] * (ROWS_MAX + 1))], None),
        ([column([1])] * (COLUMNS_MAX + 1), None),
        ([column([1])], [b"t" * (TEXT_BYTES_MAX + 1)]),
    ],
)
def test_what_has_no_room_is_refused(columns: list[RowColumn], texts: list[bytes] | None) -> None:
    with pytest.raises(ValueError, match="no image of"):
        table_image(columns, texts)
