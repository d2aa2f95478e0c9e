"""Rows as the bytes of a CSV or Parquet file, a piece for each batch."""

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, islice
from typing import Any

import numpy as np

from rice_stream.errors import UsageError
from rice_stream.reports.column_batches import Coded, ColumnBatch, Whole
from rice_stream.reports.exports.columns import DECIMALS, ExportColumn, Rows
from rice_stream.reports.exports.csv_cells import csv_lines, csv_row
from rice_stream.store.copied import CopiedTexts

ROW_GROUP_ROWS = 32_768
"""What a file says of each group stays in memory until its end: some 80 KB for prompts."""
_WRITING: dict[str, Any] = {"compression": "zstd", "store_schema": False, "data_page_size": 65_536}
"""Pages are small: one is in memory twice while it is packed."""


def csv_bytes(columns: Sequence[ExportColumn], *, trailer: bool = False) -> Callable[[Rows], Iterator[bytes]]:
    """CSV (RFC 4180, UTF-8) of rows, a piece for each batch.

    Text that a spreadsheet would take for a formula begins with an apostrophe. `trailer` adds a last line with the number of
    rows and the digest of everything before it: a stream that breaks has none.
    """
    kinds = [column.kind for column in columns]

    def made(rows: Rows) -> Iterator[bytes]:
        count, batches = 0, (batch for batch in rows if len(batch))
        # Read before anything is sent: an error of the question is answered as a problem still.
        first = list(islice(batches, 1))
        header = csv_row([column.name for column in columns]).encode() + b"\r\n"
        digest = hashlib.sha256(header)
        yield header
        for batch in chain(first, batches):
            each = csv_lines(ColumnBatch.of(batch, len(columns)).columns, kinds)
            count += len(batch)
            digest.update(each)
            yield each
        if trailer:
            yield f"# rows={count}, sha256={digest.hexdigest()}\r\n".encode()

    return made


def parquet_bytes(columns: Sequence[ExportColumn]) -> Callable[[Rows], Iterator[bytes]]:
    """Parquet of rows, a piece for each group of rows. UsageError: the server has no library for it."""
    # Read by pyarrow when it is loaded: what a group of rows took is given back, where its own allocator keeps 20 MB of it.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise UsageError(
            "format: this server writes no Parquet; install rice-stream[parquet] there, or ask for csv"
        ) from error
    types = {
        "text": pa.string(),
        "whole": pa.int64(),
        "large": pa.decimal128(38, 0),
        "number": pa.float64(),
        "instant": pa.timestamp("us", tz="UTC"),
        "flag": pa.bool_(),
        **{kind: pa.decimal128(38, decimals) for kind, decimals in DECIMALS.items()},
    }

    def made(batches: Rows) -> Iterator[bytes]:
        sink = _Sink()
        filled = (ColumnBatch.of(batch, len(columns)) for batch in batches if len(batch))
        first = next(filled, None)
        coded = _coded(columns, first)
        schema = pa.schema(
            (column.name, pa.dictionary(pa.int32(), pa.string()) if column.name in coded else types[column.kind])
            for column in columns
        )

        def record_batch(batch: ColumnBatch) -> Any:
            arrays = [
                _arrow_array(values, types[column.kind]) for values, column in zip(batch.columns, columns, strict=True)
            ]
            return pa.RecordBatch.from_arrays(arrays, schema=schema)

        def group(held: list[Any]) -> Any:
            # Chunks whose dictionaries differ would be written without any; put together, they would be there twice.
            return pa.Table.from_batches(held, schema=schema).unify_dictionaries()

        options = _WRITING | {"use_dictionary": sorted(coded) or False}
        with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, **options) as writer:
            held, rows = [], 0
            for batch in chain([first] if first else [], filled):
                held.append(record_batch(batch))
                rows += len(batch)
                if rows >= ROW_GROUP_ROWS:
                    writer.write_table(group(held), row_group_size=rows)
                    held, rows = [], 0
                    yield sink.taken()
            if held:
                writer.write_table(group(held), row_group_size=rows)
        yield sink.taken()

    return made


def _arrow_array(column: Sequence[Any], wanted: Any) -> Any:
    """A column as an array of a type of pyarrow's; coded text keeps its codes."""
    import pyarrow as pa

    if pa.types.is_decimal(wanted) and wanted.scale:
        return _decimals(column, wanted)
    if isinstance(column, Whole):
        values = column.values.view("datetime64[us]") if pa.types.is_timestamp(wanted) else column.values
        return pa.array(values, mask=column.missing, type=wanted)
    if isinstance(column, CopiedTexts):
        offsets = np.ascontiguousarray(column.offsets)
        return pa.StringArray.from_buffers(len(column), pa.py_buffer(offsets), pa.py_buffer(column.flat))
    if not isinstance(column, Coded):
        return pa.array(column, type=wanted)
    has_none = np.array([value is None for value in column.values], dtype=bool)
    codes = pa.array(column.codes, mask=has_none[column.codes])
    if not pa.types.is_string(wanted):
        return pa.array(column.values, type=wanted).take(codes)
    # Parquet's dictionaries hold no null: a code that is none stands for it. Each value is there once: of a dictionary that
    # repeats one, pyarrow writes other bytes each time.
    texts = [value or "" for value in column.values]
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    distinct = np.array([places[text] for text in texts], dtype=np.int32)[column.codes]
    codes = pa.array(distinct, mask=has_none[column.codes])
    return pa.DictionaryArray.from_arrays(codes, pa.array(list(places), type=wanted))


def _decimals(column: Sequence[int | None], wanted: Any) -> Any:
    """Whole numbers of small units as decimals: the same digits, with the point where the type has it."""
    import pyarrow as pa

    if not isinstance(column, Whole):
        scaled = [None if value is None else Decimal(value).scaleb(-wanted.scale) for value in column]
        return pa.array(scaled, type=wanted)
    wide = np.empty((len(column), 2), dtype=np.int64)  # 128 bits, the lower half first
    wide[:, 0], wide[:, 1] = column.values, np.where(column.values < 0, -1, 0)
    values = pa.Array.from_buffers(wanted, len(column), [None, pa.py_buffer(wide)])
    return _with_nulls(values, column.missing) if column.missing.any() else values


def _with_nulls(values: Any, missing: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pa.array(missing), pa.scalar(None, values.type), values)


def _coded(columns: Sequence[ExportColumn], first: ColumnBatch | None) -> set[str]:
    """The columns of coded text in the first rows: they are so in all."""
    if first is None:
        return set()
    held = zip(columns, first.columns, strict=True)
    return {column.name for column, values in held if column.kind == "text" and isinstance(values, Coded)}


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken, and knows how much has been written in all."""

    def __init__(self) -> None:
        super().__init__()
        self._kept = bytearray()
        self._written = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Keep more bytes."""
        self._kept += data
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        """How much has been written."""
        return self._written

    def taken(self) -> bytes:
        """What has been kept; nothing is kept then."""
        taken = bytes(self._kept)
        self._kept.clear()
        return taken
