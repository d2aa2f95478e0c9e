"""What the tree of a closed month is made of, in the order of its leaves: each record, and after it the entries that corrected it.

Records come in the order of their keys, entries in the order in which they were posted. What came late, and entries from after the
month was marked, are no part of it; both are known by what is stored, so that the tree can be made again at any time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import BigInteger, Connection, Table, text

from rice_stream.canonical_json import INTEGER_MAX
from rice_stream.meter.amounts import exact_sums
from rice_stream.quantities import ENTRY_AMOUNTS, UNKNOWN, Ints
from rice_stream.store import schema
from rice_stream.store.archive.kept import ArchivedFile, dropped_files
from rice_stream.store.archive.month_rows import RecordRows
from rice_stream.store.archive.opening import open_rows
from rice_stream.store.copied import WireType, copied_numbers
from rice_stream.store.entries import signed_sums
from rice_stream.store.event_key_columns import key_bounds, key_bytes, stored_key
from rice_stream.store.key_places import KEY_BYTES
from rice_stream.store.measured_columns import of_columns
from rice_stream.transparency.leaves import LeafWriter, Written, as_written
from rice_stream.transparency.month_trees import LeafPlace

RECORDS_AT_ONCE = 20_000
_NO_NAMES = ("event_id",)
"""Columns of records that leaves leave out: what a sender named its event by is no part of a proof, its key is."""


class MonthBounds(NamedTuple):
    """A month of a tenant, from `low_us` to before `high_us`, and the latest group of entries that belongs to what was closed."""

    tenant_key: int
    low_us: int
    high_us: int
    entries_up_to: int


class LeafChunk(NamedTuple):
    """Leaves that follow each other, and what the records and entries among them amount to."""

    leaves: list[bytes]
    event_keys: list[bytes]
    """Of each leaf."""
    records: int
    reported: Mapping[str, int]
    """Sums of the records, by amount."""
    corrected: Mapping[str, int]
    """Sums of the entries."""
    factor_keys: frozenset[int]


def leaf_columns() -> dict[str, list[str]]:
    """The columns that leaves are made of in this version; a month keeps those of its own."""
    return {
        "record": [column.name for column in schema.prompt_record.c if column.name not in _NO_NAMES],
        "entry": [column.name for column in schema.adjustment_entry.c],
    }


def has_late(connection: Connection, bounds: MonthBounds) -> bool:
    """Whether records may have come into the month after it was marked."""
    statement = (
        "SELECT 1 FROM adjustment WHERE tenant_key = :tenant_key AND cause = 'late' AND adjustment_key > :entries_up_to"
        " LIMIT 1"
    )
    return connection.execute(text(statement), bounds._asdict()).first() is not None


NOT_LATE = (
    " AND NOT EXISTS (SELECT 1 FROM adjustment_entry l"
    " WHERE l.tenant_key = r.tenant_key AND l.event_key = r.event_key AND l.counted = 0)"
)
"""Records `r` that were there when their month was closed."""


class LeafReader:
    """Reads the leaves of a month within one snapshot."""

    def __init__(
        self,
        connection: Connection,
        bounds: MonthBounds,
        columns: Mapping[str, Sequence[str]],
        files: Sequence[ArchivedFile] | None = None,
    ) -> None:
        """`columns` are those of the month. Records are read from `files` of the archive; None: from where they are, which is the
        archive once retention has dropped any of them.

        DamagedArchiveError, here and from `chunks`: a file of the archive is not what was written.
        """
        self._connection = connection
        self._bounds = bounds
        self._record = _Leaves(schema.prompt_record, columns["record"], _recorded)
        self._entry = _Leaves(schema.adjustment_entry, columns["entry"], _posted)
        if files is None:
            dropped = dropped_files(connection, bounds.tenant_key, bounds.low_us, bounds.high_us)
            files = [file for file in dropped if not file.is_late] if dropped else None
        self._archived = None if files is None else open_rows(files)
        self._also = NOT_LATE if files is None and has_late(connection, bounds) else ""

    def chunks(self, start: LeafPlace | None = None, at_once: int = RECORDS_AT_ONCE) -> Iterator[LeafChunk]:
        """All leaves from a place on; None: from the first one on."""
        after, skipped = (None, 0) if start is None else (start.event_key, start.number)
        includes = True
        while True:
            chunk, after = self._next(after, at_once, includes=includes)
            if chunk is not None:
                yield (
                    chunk
                    if not skipped
                    else chunk._replace(leaves=chunk.leaves[skipped:], event_keys=chunk.event_keys[skipped:])
                )
            if after is None:
                return
            skipped, includes = 0, False

    def _next(self, after: bytes | None, at_once: int, *, includes: bool) -> tuple[LeafChunk | None, bytes | None]:
        """The leaves of the next records, and where the ones after them begin; None: there are no more."""
        dialect = self._connection.dialect.name
        low, high = key_bounds(dialect, self._bounds.low_us, self._bounds.high_us)
        asked: dict[str, Any] = {**self._bounds._asdict(), "low": low, "high": high, "limit": at_once}
        within = (
            " WHERE r.tenant_key = :tenant_key AND r.event_key >= :low AND r.event_key < :high"
            " AND r.ended_at_us >= :low_us AND r.ended_at_us < :high_us"
        )
        if after is not None:
            within += f" AND r.event_key {'>=' if includes else '>'} :after"
            asked["after"] = stored_key(dialect, after)
        if self._archived is None:
            condition = f"{within}{self._also} ORDER BY r.event_key LIMIT :limit"
            records = self._record.read(self._connection, condition, asked)
        else:
            records = self._record.of_rows(self._archived.after(after, at_once, includes=includes))
        is_last = len(records.keys) < at_once
        until = "" if is_last else " AND r.event_key <= :until"
        if not is_last:
            asked["until"] = stored_key(dialect, records.keys[-1])
        order = " AND r.adjustment_key <= :entries_up_to ORDER BY r.event_key, r.adjustment_key, r.line"
        entries = self._entry.read(self._connection, f"{within}{until}{order}", asked)
        return _merged(records, entries), None if is_last else records.keys[-1]


class _Read(NamedTuple):
    keys: list[bytes]
    leaves: list[bytes]
    amounts: Ints
    factor_keys: Ints


_Amounts = Callable[[str, Mapping[str, Ints], int], Ints]
"""What each of n rows adds to an amount, by its name and their columns."""
_recorded = of_columns


def _posted(name: str, found: Mapping[str, Ints], _rows: int) -> Ints:
    return found[name] * found["counted"]


class _Leaves:
    """How rows of one table become leaves."""

    def __init__(self, table: Table, columns: Sequence[str], amounts: _Amounts) -> None:
        self._table = table.name
        self._columns = [table.c[name] for name in columns]
        # What leaves of then had no column of is added up all the same.
        besides = [table.c[name] for name in (*ENTRY_AMOUNTS, "counted") if name in table.c and name not in columns]
        self._numbers = [column for column in (*self._columns, *besides) if column.name != "event_key"]
        self._amounts = amounts
        self._write = LeafWriter(columns).leaves

    def read(self, connection: Connection, condition: str, asked: Mapping[str, Any]) -> _Read:
        wanted = [
            f"COALESCE(r.{column.name}, {UNKNOWN}) AS {column.name}" if column.nullable else f"r.{column.name}"
            for column in self._numbers
        ]
        statement = f"SELECT {', '.join(wanted)}, r.event_key FROM {self._table} r{condition}"
        names = [column.name for column in self._numbers]
        if connection.dialect.name == "postgresql":
            types: dict[str, WireType] = {
                column.name: "int8" if isinstance(column.type, BigInteger) else "int4" for column in self._numbers
            }
            columns = copied_numbers(connection, statement, asked, {**types, "event_key": "uuid"})
            keys = columns["event_key"].tobytes()
            return self._written(keys, {name: columns[name].astype(np.int64) for name in names})
        rows = connection.execute(text(statement), dict(asked)).all()
        by_column = list(zip(*rows, strict=True)) or [()] * (len(names) + 1)
        found = {name: np.array(by_column[place], dtype=np.int64) for place, name in enumerate(names)}
        return self._written(b"".join(map(key_bytes, by_column[len(names)])), found)

    def of_rows(self, rows: RecordRows | None) -> _Read:
        """Of records that were read from the archive, as `read` of the database; None: there are none."""
        if rows is None:
            return _Read([], [], np.zeros((0, len(ENTRY_AMOUNTS)), dtype=np.int64), np.zeros(0, dtype=np.int64))
        return self._written(rows.event_keys.tobytes(), rows.numbers)

    def _written(self, joined: bytes, found: Mapping[str, Ints]) -> _Read:
        keys = [joined[at : at + KEY_BYTES] for at in range(0, len(joined), KEY_BYTES)]
        columns: list[Sequence[Written]] = [
            [f'"{key.hex()}"' for key in keys]
            if column.name == "event_key"
            else _written_numbers(found[column.name], nullable=bool(column.nullable))
            for column in self._columns
        ]
        amounts = [self._amounts(name, found, len(keys)) for name in ENTRY_AMOUNTS]
        return _Read(keys, self._write(columns), np.column_stack(amounts), found["factor_key"])


def _written_numbers(column: Ints, *, nullable: bool) -> Sequence[Written]:
    """As `as_written` of each value, of which nearly all stay as they are."""
    written: list[Written] = column.tolist()
    is_odd = (column > INTEGER_MAX) | (column < -INTEGER_MAX) | (nullable & (column == UNKNOWN))
    for place in np.flatnonzero(is_odd).tolist():
        value = int(column[place])
        written[place] = as_written(None if nullable and value == UNKNOWN else value)
    return written


def _merged(records: _Read, entries: _Read) -> LeafChunk | None:
    """Records with the entries of each after it."""
    if not records.keys and not entries.keys:
        return None
    keys, leaves = records.keys, records.leaves
    if entries.keys:
        # Sorted by key, and what is a record comes first; each of the two is in its order already.
        order = sorted(
            [(key, 0, place) for place, key in enumerate(records.keys)]
            + [(key, 1, place) for place, key in enumerate(entries.keys)]
        )
        keys = [key for key, _, _ in order]
        leaves = [(entries if kind else records).leaves[place] for _, kind, place in order]
    return LeafChunk(
        leaves,
        keys,
        len(records.keys),
        dict(zip(ENTRY_AMOUNTS, exact_sums(records.amounts), strict=True)),
        dict(zip(ENTRY_AMOUNTS, signed_sums(entries.amounts), strict=True)),
        frozenset(np.unique(np.append(records.factor_keys, entries.factor_keys)).tolist()),
    )
