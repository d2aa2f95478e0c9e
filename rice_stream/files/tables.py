"""Rows of CSV and Parquet as JSON objects: the column's name is the field's.

An empty cell is null for canonical fields. For other columns it is left out, because formats differ in how they treat
null and absent. So a table of canonical events needs only their field names as its header, and a database's table of
spend logs is read as that format's rows.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from rice_stream.errors import UsageError
from rice_stream.events.canonical import FIELD_NAMES, WireEvent

_ROWS_PER_READ = 10_000
_BOOLEANS = {"true": True, "false": False, "t": True, "f": False}
_CELL_LENGTH_MAX = 16 * 1024 * 1024


def _takes(*wanted: type) -> frozenset[str]:
    found = set()
    for field in msgspec.inspect.type_info(WireEvent).fields:  # type: ignore[attr-defined]
        kinds = field.type.types if isinstance(field.type, msgspec.inspect.UnionType) else (field.type,)
        if any(isinstance(kind, wanted) for kind in kinds):
            found.add(field.name)
    return frozenset(found)


_NUMBERS = _takes(msgspec.inspect.IntType, msgspec.inspect.FloatType)
_FLAGS = _takes(msgspec.inspect.BoolType)


def csv_rows(path: Path, stream: IO[bytes], delimiter: str) -> Iterator[bytes]:
    """Every row below the header as a JSON object. A row with more or fewer cells than the header is given as it is,
    for the quarantine. UsageError: there is no header, or it is no CSV."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    csv.field_size_limit(_CELL_LENGTH_MAX)
    reader = csv.reader(text, delimiter=delimiter)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not any(header) or len(set(header)) != len(header):
            raise UsageError(f"{path}: the first row must name the columns, each once")
        for cells in reader:
            if len(cells) == len(header):
                yield msgspec.json.encode(_object(dict(zip(header, cells, strict=True))))
            elif cells:
                yield delimiter.join(cells).encode("utf-8", "replace")
    except csv.Error as error:
        raise UsageError(f"{path}: row {reader.line_num}: {error}") from error
    finally:
        text.detach()


def parquet_rows(path: Path) -> Iterator[tuple[bytes, float]]:
    """Every row as a JSON object, and the share of the file read so far. UsageError: broken, or no reader installed."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(f"{path}: Parquet needs the extra: pip install 'rice-stream[parquet]'") from error
    try:
        file = parquet.ParquetFile(path)
        rows = max(file.metadata.num_rows, 1)
        done = 0
        for batch in file.iter_batches(batch_size=_ROWS_PER_READ):
            for row in batch.to_pylist():
                done += 1
                yield msgspec.json.encode(_object(row), enc_hook=_spelled), done / rows
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path}: not a whole Parquet file: {error}") from error


def _object(row: Mapping[str, Any]) -> dict[str, Any]:
    cells = ((name, None if cell == "" else cell) for name, cell in row.items())
    return {name: _value(name, cell) for name, cell in cells if cell is not None or name in FIELD_NAMES}


def _value(name: str, cell: Any) -> Any:
    """A cell as the field's type: numbers where counts and factors stand, nested objects from their JSON text."""
    if isinstance(cell, datetime) and cell.tzinfo is None:
        return cell.replace(tzinfo=UTC)
    if not isinstance(cell, str):
        return cell
    if name in _FLAGS:
        return _BOOLEANS.get(cell.lower(), cell)
    if name in _NUMBERS or name.lower().endswith(("tokens", "tokencount", "token_count")):
        return _number(cell)
    if cell[:1] in "{[":
        try:
            return msgspec.json.decode(cell)
        except (msgspec.DecodeError, RecursionError):
            return cell
    return cell


def _number(cell: str) -> Any:
    try:
        value = msgspec.json.decode(cell)
    except msgspec.DecodeError:
        return cell
    if isinstance(value, float) and value.is_integer():
        # Spreadsheets and data frames write counts as 12.0 where a column has gaps.
        return int(value)
    return value


def _spelled(value: Any) -> str:
    return str(value)
