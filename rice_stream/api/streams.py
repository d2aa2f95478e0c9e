"""Tables as CSV or Parquet, made while they are sent: memory does not grow with their rows."""

import hashlib
import io
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from itertools import chain, islice
from typing import Any, Literal, NamedTuple

import numpy as np
from fastapi.responses import StreamingResponse

from rice_stream.api.csv_cells import csv_lines, csv_row
from rice_stream.api.problems import later
from rice_stream.api.product import STREAMS_MAX, Product
from rice_stream.errors import UsageError
from rice_stream.reports.column_batches import Coded, ColumnBatch, Whole

Format = Literal["json", "csv", "parquet"]
Kind = Literal["text", "whole", "large", "number", "instant", "flag"]
_RETRY_AFTER_S = 10
ROW_GROUP_ROWS = 16_384
_MEDIA_TYPES = {"csv": "text/csv; charset=utf-8; header=present", "parquet": "application/vnd.apache.parquet"}


class ExportColumn(NamedTuple):
    """One column: its name, with its unit last, and what its values are.

    `instant` is epoch microseconds, `large` a whole number that may need more than 64 bits.
    """

    name: str
    kind: Kind


Rows = Iterable[Sequence[Sequence[Any]]]
"""Batches of rows, each with a value for every column."""


class Streams:
    """Makes the answers; bounds how many there are at a time."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(STREAMS_MAX)

    async def answer(
        self,
        product: Product,
        form: Format,
        name: str,
        columns: Sequence[ExportColumn],
        rows: Callable[[], Rows],
        *,
        trailer: bool,
    ) -> StreamingResponse:
        """The table as a file called `name`. `rows` is called in a thread; its errors before the first batch are problems."""
        made = csv_bytes(columns, trailer=trailer) if form == "csv" else parquet_bytes(columns)
        pieces = self._pieces(made, rows)
        # A generator that has begun gives back its place whatever becomes of the answer.
        await product.ask(next, pieces)
        headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
        return StreamingResponse(pieces, media_type=_MEDIA_TYPES[form], headers=headers)

    def _pieces(self, made: Callable[[Rows], Iterator[bytes]], rows: Callable[[], Rows]) -> Iterator[bytes]:
        """Nothing, once the first piece is there; then the pieces."""
        if not self._places.acquire(blocking=False):
            raise later(HTTPStatus.TOO_MANY_REQUESTS, f"{STREAMS_MAX} tables are being sent already", _RETRY_AFTER_S)
        try:
            pieces = made(rows())
            first = next(pieces)
            yield b""
            yield first
            yield from pieces
        finally:
            self._places.release()


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
            each = csv_lines(ColumnBatch.of(batch, len(columns)).columns, kinds).encode()
            count += len(batch)
            digest.update(each)
            yield each
        if trailer:
            yield f"# rows={count}, sha256={digest.hexdigest()}\r\n".encode()

    return made


def parquet_bytes(columns: Sequence[ExportColumn]) -> Callable[[Rows], Iterator[bytes]]:
    """Parquet of rows, a piece for each group of rows. UsageError: the server has no library for it."""
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
            # Chunks whose dictionaries differ would be written without any.
            return pa.Table.from_batches(held, schema=schema).unify_dictionaries().combine_chunks()

        options = {"compression": "zstd", "use_dictionary": sorted(coded) or False, "store_schema": False}
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

    if isinstance(column, Whole):
        values = column.values.view("datetime64[us]") if pa.types.is_timestamp(wanted) else column.values
        return pa.array(values, mask=column.missing, type=wanted)
    if not isinstance(column, Coded):
        return pa.array(column, type=wanted)
    has_none = np.array([value is None for value in column.values], dtype=bool)
    codes = pa.array(column.codes, mask=has_none[column.codes])
    if not pa.types.is_string(wanted):
        return pa.array(column.values, type=wanted).take(codes)
    # Parquet's dictionaries hold no null: a code that is none stands for it.
    return pa.DictionaryArray.from_arrays(codes, pa.array([value or "" for value in column.values], type=wanted))


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
