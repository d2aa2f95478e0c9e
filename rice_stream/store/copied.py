"""What a SELECT finds, read by column through PostgreSQL's binary COPY: without an object for every number or text."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
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
    return np.frombuffer(b"".join(_rows(connection, select, parameters)), dtype=np.dtype(_fields(types)))


def _rows(connection: Connection, select: str, parameters: Mapping[str, Any]) -> list[bytes]:
    import psycopg

    statement = text(select).compile(dialect=connection.dialect)
    driver: Any = connection.connection.driver_connection
    try:
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY ({statement}) TO STDOUT (FORMAT BINARY)", dict(parameters)) as stream,
        ):
            messages = _messages(driver.pgconn, stream)
    except psycopg.Error as error:
        raise batch_failure("the database did not answer", error) from error
    rows = [messages[0][len(HEADER) :], *messages[1:]] if messages else []
    # The message of the end is shorter than any row.
    return [row for row in rows if len(row) > len(TRAILER)]


def _messages(connection: Any, stream: Any) -> list[bytes]:
    """A message for each row, the first one with the header before it.

    What has arrived is taken from libpq as it is; psycopg waits for what has not, which for every row would take longer than
    everything else. Each is copied: to keep libpq's own piece of memory for every row takes three times as long.
    """
    import psycopg

    found: list[bytes] = []
    while True:
        size, message = connection.get_copy_data(1)
        if size < 0:
            for result in list(iter(connection.get_result, None)):
                if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
                    raise psycopg.errors.error_from_result(result)
            return found
        if size == 0 and not (message := stream.read()):
            return found
        found.append(bytes(message))


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
