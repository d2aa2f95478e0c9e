"""Tables that are sent while they are made hold the same as what was read, and no formula."""

import csv
import hashlib
import io
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.errors import UsageError
from rice_stream.instants import rfc3339
from rice_stream.reports.column_batches import Coded, ColumnBatch, Whole
from rice_stream.reports.exports import csv_cells, table_files
from rice_stream.reports.exports.columns import ExportColumn, Kind
from rice_stream.reports.exports.csv_cells import csv_lines
from rice_stream.reports.exports.table_files import csv_bytes, parquet_bytes
from rice_stream.store.copied import CopiedTexts

COLUMNS = [
    ExportColumn("tenant_id", "text"),
    ExportColumn("input_tokens", "whole"),
    ExportColumn("carbon_gco2e", "number"),
    ExportColumn("ended_at", "instant"),
    ExportColumn("other", "flag"),
]
rows = st.tuples(
    st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    st.none() | st.integers(0, 2**63 - 1),
    st.none() | st.floats(allow_nan=False),
    st.none() | st.integers(0, 4_102_444_800_000_000),
    st.none() | st.booleans(),
)
batches = st.lists(st.lists(rows, max_size=4), max_size=4)


@given(batches)
def test_parquet_gives_back_the_rows(given_rows: list[list[Any]]) -> None:
    table = pq.read_table(io.BytesIO(b"".join(parquet_bytes(COLUMNS)(given_rows))))
    assert table.column_names == [column.name for column in COLUMNS]
    columns = [column.cast("int64") if str(column.type).startswith("timestamp") else column for column in table.columns]
    read = list(zip(*(column.to_pylist() for column in columns), strict=True))
    assert read == [row for batch in given_rows for row in batch]


@given(batches)
def test_csv_gives_back_the_rows_and_no_formula(given_rows: list[list[Any]]) -> None:
    text = b"".join(csv_bytes(COLUMNS)(given_rows)).decode()
    header, *read = csv.reader(io.StringIO(text, newline=""))
    assert header == [column.name for column in COLUMNS]
    wanted = [row for batch in given_rows for row in batch]
    assert len(read) == len(wanted)
    for cells, row in zip(read, wanted, strict=True):
        assert not cells[0].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert cells[0] in (row[0] or "", f"'{row[0]}")
        assert cells[1] == ("" if row[1] is None else str(row[1]))
        assert cells[2] == ("" if row[2] is None else repr(row[2]))
        assert cells[3] == ("" if row[3] is None else rfc3339(row[3]))


@given(batches)
def test_rows_held_by_column_give_the_same_bytes(given_rows: list[list[Any]]) -> None:
    """Also where a column is places in a list of values that grows from batch to batch."""
    lists: list[list[Any]] = [[] for _ in COLUMNS]
    held = []
    for batch in given_rows:
        columns = []
        for values, column in zip(lists, list(zip(*batch, strict=True)) or [()] * len(COLUMNS), strict=True):
            codes = range(len(values), len(values) + len(column))
            values += column
            columns.append(Coded(values, codes))
        held.append(ColumnBatch(columns))
        assert list(held[-1]) == batch
    assert b"".join(csv_bytes(COLUMNS)(held)) == b"".join(csv_bytes(COLUMNS)(given_rows))
    tables = [pq.read_table(io.BytesIO(b"".join(parquet_bytes(COLUMNS)(each)))) for each in (held, given_rows)]
    assert tables[0].equals(tables[1])


def test_columns_of_any_make_give_the_same_bytes() -> None:
    """Columns that share their codes, numbers in an array, and texts that need care, beside the same rows as tuples."""
    columns = [ExportColumn(name, kind) for name, kind in zip("abcdefgh", _KINDS, strict=True)]
    codes = np.array([0, 1, 2, 1], dtype=np.int32)
    missing = np.array([False, True, False, False])
    moments = np.array([1_795_374_000_000_000, 7, 1_795_374_000_120_000, 1_795_374_000_000_001])
    held = ColumnBatch(
        [
            Coded(["=x", 'a "b", c', None], codes),
            Coded([1.5, None, 1e-7], codes),
            Coded(["", "plain", "\r\n"], codes),
            Whole(np.array([1, 2, -3, 2**62]), missing),
            Whole(moments, missing),
            [None, "p,q", "-1", ""],
            CopiedTexts.of([b"p", "\u00e9\u20ac".encode(), b"", b"rr"]),
            [True, None, False, True],
        ]
    )
    for made in (csv_bytes(columns), parquet_bytes(columns)):
        by_column, by_row = (b"".join(made([[], batch, batch])) for batch in (held, list(held)))
        if by_column.startswith(b"PAR1"):
            assert pq.read_table(io.BytesIO(by_column)).equals(pq.read_table(io.BytesIO(by_row)))
        else:
            assert by_column == by_row


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1) | st.integers(0, 10_001) | st.sampled_from([10**n for n in range(19)]),
            st.integers(946_684_800, 4_102_444_799),
            st.sampled_from([0, 1, 120_000, 999_000, 999_999, 100]),
            st.booleans(),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
        ),
        min_size=1,
        max_size=9,
    ),
    st.integers(1, 9),
)
def test_numbers_instants_and_texts_are_written_by_column_as_one_by_one(
    given_rows: list[tuple[int, int, int, bool, str]], at_once: int
) -> None:
    """To the byte, however many rows are written together."""
    whole, seconds, fractions, missing, texts = map(list, zip(*given_rows, strict=True))
    moments = [second * 1_000_000 + fraction for second, fraction in zip(seconds, fractions, strict=True)]
    is_missing = np.array(missing)
    held = [
        Whole(np.array(whole, dtype=np.int64), is_missing),
        Whole(np.array(moments, dtype=np.int64), is_missing),
        CopiedTexts.of([text.encode() for text in texts]),
    ]
    by_row = [
        [None if gone else value for value, gone in zip(values, missing, strict=True)] for values in (whole, moments)
    ]
    kinds = ["whole", "instant", "text"]
    wanted = b"".join(csv_lines([[row] for row in rows], kinds) for rows in zip(*by_row, texts, strict=True))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(csv_cells, "_ROWS_AT_ONCE", at_once)
        assert csv_lines(held, kinds) == wanted
        assert csv_lines(held[2:], ["text"]) == csv_lines([texts], ["text"])
    assert list(held[2]) == texts


_KINDS: tuple[Kind, ...] = ("text", "number", "text", "whole", "instant", "text", "text", "flag")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_name_that_a_spreadsheet_would_run_is_made_text(start: str) -> None:
    sent = b"".join(csv_bytes(COLUMNS[:1])([[(f"{start}cmd|' /C calc'!A0",)]])).decode()
    assert next(csv.reader(io.StringIO(sent.split("\r\n", 1)[1], newline="")))[0] == f"'{start}cmd|' /C calc'!A0"


def test_the_trailer_tells_a_whole_table_from_a_broken_one() -> None:
    *lines, trailer, end = b"".join(csv_bytes(COLUMNS[:2], trailer=True)([[("a", 1)], [("b", 2)]])).split(b"\r\n")
    sent = b"\r\n".join([*lines, b""])
    assert (trailer, end) == (f"# rows=2, sha256={hashlib.sha256(sent).hexdigest()}".encode(), b"")


def test_what_a_group_of_rows_took_is_given_back() -> None:
    """A server that has sent Parquet does not keep for ever what pyarrow's own allocator would."""
    asked = "from rice_stream.reports.exports.table_files import parquet_bytes as made; made([])"
    asked += "; import pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    told = subprocess.run([sys.executable, "-c", asked], stdout=subprocess.PIPE, text=True, check=True)
    assert told.stdout.strip() == "system"


def test_no_more_is_held_than_a_group_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are read only as the bytes before them are taken."""
    monkeypatch.setattr(table_files, "ROW_GROUP_ROWS", 10)
    read = 0

    def source() -> Iterator[list[Any]]:
        nonlocal read
        for _ in range(100):
            read += 5
            yield [("tenant", 1, 1.0, None, None)] * 5

    parts = iter(parquet_bytes(COLUMNS)(source()))
    next(parts)
    assert read == 10
    next(parts)
    assert read == 20
    assert pq.read_table(io.BytesIO(b"".join(parquet_bytes(COLUMNS)(source())))).num_rows == 500


@pytest.mark.parametrize("made", [csv_bytes(COLUMNS), parquet_bytes(COLUMNS)])
def test_nothing_is_sent_before_the_first_rows_are_there(made: Any) -> None:
    """A question that cannot be answered ends before: its answer can be a problem still."""

    def refused() -> Iterator[Any]:
        yield ()
        raise UsageError("from: must lie before to")

    with pytest.raises(UsageError):
        next(made(refused()))


def test_a_name_that_two_keys_stand_for_gives_the_same_bytes_each_time() -> None:
    """A dictionary that repeats a value made other bytes of the same rows."""
    column = Coded(["a", "a", None, "b"], np.array([0, 1, 2, 3, 0], dtype=np.int32))
    made = {b"".join(parquet_bytes([ExportColumn("name", "text")])([ColumnBatch([column])])) for _ in range(8)}
    assert len(made) == 1
    assert pq.read_table(io.BytesIO(made.pop()))["name"].to_pylist() == ["a", "a", None, "b", "a"]
