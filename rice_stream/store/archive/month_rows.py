"""All columns of a month's records, read from the database in the order of their keys."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, text

from rice_stream.quantities import UNKNOWN, Ints
from rice_stream.store.copied import WireType, copied
from rice_stream.store.event_key_columns import key_bounds, key_bytes, stored_key
from rice_stream.store.key_places import keys_of
from rice_stream.store.schema_records import prompt_record

_NUMBERS = [column for column in prompt_record.c if column.name not in ("event_key", "event_id")]
_WIRE: dict[str, WireType] = {
    **{column.name: "int8" if isinstance(column.type, BigInteger) else "int4" for column in _NUMBERS},
    "event_key": "uuid",
}
_WANTED = ", ".join(
    f"COALESCE(r.{column.name}, {UNKNOWN}) AS {column.name}" if column.nullable else f"r.{column.name}"
    for column in _NUMBERS
)
_IS_LATE = (
    "EXISTS (SELECT 1 FROM adjustment_entry l"
    " WHERE l.tenant_key = r.tenant_key AND l.event_key = r.event_key AND l.counted = 0)"
)


class RecordRows(NamedTuple):
    """n records in the order of their keys."""

    event_keys: NDArray[np.uint8]
    """Shape (n, 16)."""
    numbers: dict[str, Ints]
    """By column, shape (n,), UNKNOWN for null."""
    event_ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.event_ids)

    def between(self, start: int, stop: int) -> "RecordRows":
        """Those of the places from `start` to before `stop`."""
        if start <= 0 and stop >= len(self):
            return self
        numbers = {name: column[start:stop] for name, column in self.numbers.items()}
        return RecordRows(self.event_keys[start:stop], numbers, self.event_ids[start:stop])

    @staticmethod
    def joined(parts: Sequence["RecordRows"]) -> "RecordRows":
        """One part after the other; of one at least."""
        numbers = {name: np.concatenate([part.numbers[name] for part in parts]) for name in parts[0].numbers}
        keys = np.concatenate([part.event_keys for part in parts])
        return RecordRows(keys, numbers, [event_id for part in parts for event_id in part.event_ids])

    def select(self, rows: NDArray[np.intp]) -> "RecordRows":
        """The given ones, in the given order."""
        numbers = {name: column[rows] for name, column in self.numbers.items()}
        return RecordRows(self.event_keys[rows], numbers, [self.event_ids[row] for row in rows.tolist()])


class RowsOfMonth(NamedTuple):
    """Records of a tenant that ended in [low_us, high_us): those that were there when it was closed, or those that were not."""

    tenant_key: int
    low_us: int
    high_us: int
    is_late: bool
    has_late: bool
    """Whether there are any."""


def month_rows(connection: Connection, stretch: RowsOfMonth, after: bytes | None, limit: int) -> Iterator[RecordRows]:
    """The records of the stretch whose keys come after one (None: all), at most `limit` at once."""
    if stretch.is_late and not stretch.has_late:
        return
    while True:
        rows = _next(connection, stretch, after, limit)
        if len(rows):
            yield rows
            after = rows.event_keys[-1].tobytes()
        if len(rows) < limit:
            return


def _next(connection: Connection, stretch: RowsOfMonth, after: bytes | None, limit: int) -> RecordRows:
    dialect = connection.dialect.name
    low, high = key_bounds(dialect, stretch.low_us, stretch.high_us)
    asked: dict[str, Any] = {"tenant_key": stretch.tenant_key, "low_us": stretch.low_us, "high_us": stretch.high_us}
    asked |= {"low": low, "high": high, "limit": limit}
    conditions = (
        "r.tenant_key = :tenant_key AND r.event_key >= :low AND r.event_key < :high"
        " AND r.ended_at_us >= :low_us AND r.ended_at_us < :high_us"
    )
    if after is not None:
        conditions += " AND r.event_key > :after"
        asked["after"] = stored_key(dialect, after)
    if stretch.has_late:
        conditions += f" AND {'' if stretch.is_late else 'NOT '}{_IS_LATE}"
    statement = (
        f"SELECT {_WANTED}, r.event_key, r.event_id FROM prompt_record r WHERE {conditions}"
        " ORDER BY r.event_key LIMIT :limit"
    )
    names = [column.name for column in _NUMBERS]
    if dialect == "postgresql":
        found = copied(connection, statement, asked, _WIRE)
        numbers = {name: found.columns[name].astype(np.int64) for name in names}
        return RecordRows(keys_of(found.columns["event_key"].tobytes()), numbers, found.texts)
    rows = connection.execute(text(statement), asked).all()
    columns = list(zip(*rows, strict=True)) or [()] * (len(names) + 2)
    keys = keys_of(b"".join(map(key_bytes, columns[-2])))
    numbers = {name: np.array(columns[place], dtype=np.int64) for place, name in enumerate(names)}
    return RecordRows(keys, numbers, list(columns[-1]))
