"""What a SELECT finds, read by column through PostgreSQL's binary COPY: without an object for every number or text."""

import select as select_
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from rice_stream.events.on_demand import OnDemand
from rice_stream.store.copy_stream import HEADER, TRAILER
from rice_stream.store.engine import batch_failure

WireType = Literal["int4", "int8", "uuid"]
_WIRE: dict[WireType, str] = {"int4": ">i4", "int8": ">i8", "uuid": "V16"}


class CopiedTexts(OnDemand[str]):
    """Texts that are held as they came, in UTF-8 one after another: `flat[offsets[n]:offsets[n + 1]]` is the n-th."""

    def __init__(self, flat: NDArray[np.uint8], offsets: NDArray[np.int32]) -> None:
        self.flat = flat
        self.offsets = offsets

    @classmethod
    def of(cls, texts: Sequence[bytes | memoryview]) -> "CopiedTexts":
        """Of each one's bytes."""
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
        return cls(np.frombuffer(b"".join(texts), dtype=np.uint8), ends)

    def __len__(self) -> int:
        """How many."""
        return len(self.offsets) - 1

    def item(self, at: int) -> str:
        """One of them."""
        start, stop = self.offsets[:-1][at], self.offsets[1:][at]
        return self.flat[start:stop].tobytes().decode()

    def part(self, rows: slice) -> "CopiedTexts":
        """Those of a slice without steps."""
        start, stop, _ = rows.indices(len(self))
        return CopiedTexts(self.flat, self.offsets[start : max(start, stop) + 1])

    def __iter__(self) -> Iterator[str]:
        """All of them."""
        ends = self.offsets.tolist()
        flat = self.flat.tobytes()
        return (flat[start:stop].decode() for start, stop in pairwise(ends))


class Copied(NamedTuple):
    """Rows by column: those of a fixed length, and one of texts."""

    columns: NDArray[np.void]
    texts: CopiedTexts


def copied(connection: Connection, select: str, parameters: Mapping[str, Any], types: Mapping[str, WireType]) -> Copied:
    """All rows of a SELECT with named parameters, whose columns are those of `types`, in their order and never null, and a last
    one of texts, never null either.

    Raises:
        StoreUnavailableError: the database did not answer.
    """
    return _decoded(_rows(connection, select, parameters), types)


def copied_numbers(
    connection: Connection, select: str, parameters: Mapping[str, Any], types: Mapping[str, WireType]
) -> NDArray[np.void]:
    """As `copied`, of a SELECT without the texts."""
    whole = BytesIO()
    _received(connection, select, parameters, whole.write)
    rows = whole.getbuffer()[len(HEADER) : -len(TRAILER)]
    return np.frombuffer(rows, dtype=np.dtype(_fields(types)))


def side_by_side(rows: NDArray[np.void], names: Sequence[str]) -> NDArray[Any]:
    """Columns of one type that follow one another on the wire, shape (n, len(names)): as they are there, not copied."""
    fields: Any = rows.dtype.fields
    kind, first = fields[names[0]]
    step = kind.itemsize + 4  # a value, and the length of the next one
    if any(fields[name] != (kind, first + step * place) for place, name in enumerate(names)):
        raise ValueError(f"no columns of one type one after another: {', '.join(names)}")
    return as_strided(
        rows[names[0]], (len(rows), len(names)), (rows.dtype.itemsize, step), writeable=rows.flags.writeable
    )


def _rows(connection: Connection, select: str, parameters: Mapping[str, Any]) -> list[bytes]:
    messages: list[bytes] = []
    _received(connection, select, parameters, lambda message: messages.append(bytes(message)))
    rows = [messages[0][len(HEADER) :], *messages[1:]] if messages else []
    # The message of the end is shorter than any row.
    return [row for row in rows if len(row) > len(TRAILER)]


def _received(
    connection: Connection, select: str, parameters: Mapping[str, Any], take: Callable[[memoryview], object]
) -> None:
    """Hand over a message for each row, the first one with the header before it, and one of the end. A message is there until the
    next one is: whoever keeps it, copies it."""
    import psycopg

    statement = text(select).compile(dialect=connection.dialect)
    driver: Any = connection.connection.driver_connection
    try:
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY ({statement}) TO STDOUT (FORMAT BINARY)", dict(parameters)),
        ):
            _take_all(driver.pgconn, take)
    except psycopg.Error as error:
        raise batch_failure("the database did not answer", error) from error


def _take_all(connection: Any, take: Callable[[memoryview], object]) -> None:
    """What has arrived is taken from libpq as it is: psycopg's own way of waiting for the rest takes longer than everything else,
    as it is gone for every few rows."""
    import psycopg

    arrives = select_.poll()
    arrives.register(connection.socket, select_.POLLIN)
    next_message = connection.get_copy_data
    while True:
        size, message = next_message(1)
        if size > 0:
            take(message)
        elif size == 0:
            arrives.poll()
            connection.consume_input()
        else:
            for result in list(iter(connection.get_result, None)):
                if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
                    raise psycopg.errors.error_from_result(result)
            return


def _fields(types: Mapping[str, WireType]) -> list[tuple[str, str]]:
    """Of a row as it goes over the wire."""
    fields: list[tuple[str, str]] = [("column_count", ">i2")]
    for name, kind in types.items():
        fields += [(f"{name}.length", ">i4"), (name, _WIRE[kind])]
    return fields


def _decoded(rows: Sequence[bytes], types: Mapping[str, WireType]) -> Copied:
    layout = np.dtype([*_fields(types), ("text_length", ">i4")])
    fixed = layout.itemsize
    lengths = set(map(len, rows))
    if len(lengths) == 1:
        [length] = lengths
        both = np.dtype([("columns", layout), ("text", "u1", (length - fixed,))])
        whole = np.frombuffer(b"".join(rows), dtype=both)
        ends = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(length - fixed)
        # Texts of one byte each would be left where they are, between the columns.
        texts = np.ascontiguousarray(whole["text"]).reshape(-1)
        return Copied(whole["columns"], CopiedTexts(texts, ends))
    columns = np.frombuffer(b"".join([row[:fixed] for row in rows]), dtype=layout)
    return Copied(columns, CopiedTexts.of([row[fixed:] for row in rows]))
