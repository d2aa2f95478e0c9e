"""What a SELECT finds, read by column through PostgreSQL's binary COPY: without an object for every number."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from rice_stream.store.copy_stream import HEADER, TRAILER
from rice_stream.store.engine import batch_failure

WireType = Literal["int4", "int8", "uuid"]
_WIRE: dict[WireType, str] = {"int4": ">i4", "int8": ">i8", "uuid": "V16"}


class Copied(NamedTuple):
    """Rows by column: those of a fixed length, and one of texts."""

    columns: NDArray[np.void]
    texts: list[str]


def copied(connection: Connection, select: str, parameters: Mapping[str, Any], types: Mapping[str, WireType]) -> Copied:
    """All rows of a SELECT with named parameters, whose columns are those of `types`, in their order and never null, and a last
    one of texts, never null either.

    Raises:
        StoreUnavailableError: the database did not answer.
    """
    import psycopg

    statement = text(select).compile(dialect=connection.dialect)
    driver: Any = connection.connection.driver_connection
    try:
        # A message for each row, the first one with the header before it.
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY ({statement}) TO STDOUT (FORMAT BINARY)", dict(parameters)) as stream,
        ):
            messages = [bytes(message) for message in stream]
    except psycopg.Error as error:
        raise batch_failure("the database did not answer", error) from error
    return _decoded(messages, types)


def _decoded(messages: Sequence[bytes], types: Mapping[str, WireType]) -> Copied:
    fields: list[tuple[str, str]] = [("column_count", ">i2")]
    for name, kind in types.items():
        fields += [(f"{name}.length", ">i4"), (name, _WIRE[kind])]
    layout = np.dtype([*fields, ("text_length", ">i4")])
    fixed = layout.itemsize
    rows = [messages[0][len(HEADER) :], *messages[1:]]
    rows = [row for row in rows if row and row != TRAILER]
    columns = np.frombuffer(b"".join([row[:fixed] for row in rows]), dtype=layout)
    return Copied(columns, [row[fixed:].decode() for row in rows])
