"""Many rows in one statement of SQLite: it reads them from an image by itself, while Python prepares the next batch.

A statement for each row takes several times as long, as each value is an object and is bound; and ten times as long beside a thread
that never waits, as SQLite lets go of the interpreter at each row and then waits for it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from rice_stream.store.attached_images import attach_image, has_room_for_image
from rice_stream.store.laid_out_rows import RowColumn
from rice_stream.store.probe import nullable
from rice_stream.store.sqlite_image import ROWS_MAX, TABLE, table_image

FEW = 128
"""So many rows are sent one by one: to make an image of a row takes as long as of a hundred, and as to send these."""


def send_rows(
    connection: Connection,
    statement_of: Callable[[str], str],
    columns: Sequence[RowColumn],
    texts: Sequence[bytes] | None = None,
) -> None:
    """Run the statement that `statement_of` makes of where the rows come from: `VALUES (...)` or `SELECT ...`. They have the
    columns in their order, with the texts, in UTF-8, as the last one."""
    n = len(columns[0].values)
    for first in range(0, n, ROWS_MAX):
        end = first + ROWS_MAX
        part = [column._replace(values=column.values[first:end]) for column in columns]
        texts_of_part = None if texts is None else texts[first:end]
        if min(n - first, ROWS_MAX) > FEW and has_room_for_image(connection):
            name = attach_image(connection, table_image(part, texts_of_part).data)
            # SQLite asks for a `WHERE` where `ON CONFLICT` follows.
            connection.exec_driver_sql(statement_of(f"SELECT * FROM {name}.{TABLE} WHERE true"))
        else:
            _send_each(connection, statement_of, part, texts_of_part)


def _send_each(
    connection: Connection,
    statement_of: Callable[[str], str],
    columns: Sequence[RowColumn],
    texts: Sequence[bytes] | None,
) -> None:
    values = [_as_objects(column) for column in columns]
    if texts is not None:
        values.append(list(map(bytes.decode, texts)))
    marks = ", ".join("?" * len(values))
    if rows := list(zip(*values, strict=True)):
        connection.exec_driver_sql(statement_of(f"VALUES ({marks})"), rows)


def _as_objects(column: RowColumn) -> list[Any]:
    """Its values as the driver binds them, None for null."""
    return nullable(column.values) if column.nullable else column.values.tolist()
