"""Tables as CSV or Parquet, made while they are sent: memory does not grow with their rows."""

import hashlib
import io
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, Literal, NamedTuple

from fastapi.responses import StreamingResponse

from rice_stream.api.problems import later
from rice_stream.api.product import STREAMS_MAX, Product
from rice_stream.errors import UsageError
from rice_stream.instants import rfc3339
from rice_stream.reports.column_batches import Coded, ColumnBatch

Format = Literal["json", "csv", "parquet"]
Kind = Literal["text", "whole", "large", "number", "instant", "flag"]
_RETRY_AFTER_S = 10
ROW_GROUP_ROWS = 65_536
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
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
    cells = [_Cells(column.kind) for column in columns]
    # A line of one empty cell would be an empty line, which readers leave out.
    empty = '""' if len(columns) == 1 else ""

    def piece(rows: Iterable[Sequence[str]]) -> bytes:
        return "".join(f"{','.join(row) or empty}\r\n" for row in rows).encode()

    def made(batches: Rows) -> Iterator[bytes]:
        count = 0
        header = piece([[_text(column.name) for column in columns]])
        digest = hashlib.sha256(header)
        yield header
        for batch in batches:
            held = ColumnBatch.of(batch, len(columns)).columns
            each = piece(zip(*(cell.of(column) for cell, column in zip(cells, held, strict=True)), strict=True))
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
    schema = pa.schema([pa.field(column.name, types[column.kind]) for column in columns])

    def arrays(batch: Sequence[Sequence[Any]]) -> list[Any]:
        held = ColumnBatch.of(batch, len(columns)).columns
        return [array(column, field.type) for column, field in zip(held, schema, strict=True)]

    def array(column: Sequence[Any], wanted: Any) -> Any:
        if isinstance(column, Coded):
            return pa.array(column.values, type=wanted).take(pa.array(column.codes, type=pa.int32()))
        return pa.array(column, type=wanted)

    def made(batches: Rows) -> Iterator[bytes]:
        sink = _Sink()
        with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
            held: list[Any] = []
            rows = 0
            for batch in batches:
                held.append(pa.RecordBatch.from_arrays(arrays(batch), schema=schema))
                rows += len(batch)
                if rows >= ROW_GROUP_ROWS:
                    writer.write_table(pa.Table.from_batches(held, schema=schema), row_group_size=rows)
                    held, rows = [], 0
                    yield sink.taken()
            if held:
                writer.write_table(pa.Table.from_batches(held, schema=schema), row_group_size=max(rows, 1))
        yield sink.taken()

    return made


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


def _text(value: str) -> str:
    """Quoted where it has to be (RFC 4180)."""
    if value.startswith(_FORMULA_STARTS):
        value = f"'{value}"
    if _QUOTED.search(value) is None:
        return value
    doubled = value.replace('"', '""')
    return f'"{doubled}"'


def _flag(value: bool) -> str:  # noqa: FBT001 - a cell's value
    return "true" if value else "false"


_QUOTED = re.compile(r'[",\r\n]')
_CELLS: dict[Kind, Callable[[Any], str]] = {
    "text": _text,
    "whole": str,
    "large": str,
    "number": repr,
    "instant": rfc3339,
    "flag": _flag,
}


class _Cells:
    """The cells of a column of CSV; those of a value that many rows have are made once."""

    def __init__(self, kind: Kind) -> None:
        self._cell = _CELLS[kind]
        self._of_codes: Sequence[Any] = ()
        self._made: list[str] = []

    def of(self, column: Sequence[Any]) -> Iterable[str]:
        """Of the rows of a batch; a value that is not there is an empty cell."""
        if not isinstance(column, Coded):
            return self._cells(column)
        if column.values is not self._of_codes:
            self._of_codes, self._made = column.values, []
        self._made += self._cells(column.values[len(self._made) :])
        return map(self._made.__getitem__, column.codes)

    def _cells(self, values: Sequence[Any]) -> list[str]:
        cell = self._cell
        return ["" if value is None else cell(value) for value in values]
