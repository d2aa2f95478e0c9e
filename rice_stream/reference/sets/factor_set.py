"""A factor set: rows of one kind with who says so, under which licence, since when; and its digest."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rice_stream.canonical_json import canonical_json
from rice_stream.instants import BEGINNING_US, END_US, iso_from_us
from rice_stream.reference.reading import Cell, Row, key_of
from rice_stream.reference.sets.columns import ROWS, SetKind

DIGEST_SHOWN = 12
"""Hexadecimal digits by which people know a set."""
_DATES = ("valid_from", "valid_to")
_HEAD = ("name", "source", "licence", "published", "url", "note")


@dataclass(frozen=True)
class FactorSet:
    """Checked content of one file. Sets of the same kind and name are editions: a later one takes the place of an earlier one.

    No rows: from then on none of the name's rows hold any more.
    """

    kind: SetKind
    name: str
    source: str
    licence: str
    published: str
    url: str = ""
    note: str = ""
    rows: tuple[Row, ...] = ()
    """With the cells that columns.py names; each holds for events within its dates."""

    @cached_property
    def content(self) -> bytes:
        """The canonical form (RFC 8785) of everything that the file says: rows in the order of their keys, no empty cells."""
        head = {"kind": self.kind} | {name: getattr(self, name) for name in _HEAD if getattr(self, name)}
        rows = sorted(self.rows, key=self._order)
        return canonical_json({**head, "rows": [row_content(row) for row in rows]})

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, 64 hexadecimal digits: what a set is known by."""
        return hashlib.sha256(self.content).hexdigest()

    def keyed(self) -> dict[tuple[Cell, ...], dict[str, Any]]:
        """Rows by what tells them apart, dates included."""
        return {self._order(row): row_content(row) for row in self.rows}

    @property
    def valid_from_us(self) -> int | None:
        """When the first of its rows begins; None: since ever, or no rows."""
        first = min((row.valid_from_us for row in self.rows), default=BEGINNING_US)
        return None if first == BEGINNING_US else first

    @property
    def valid_to_us(self) -> int | None:
        """When the last of its rows has ended; None: never, or no rows."""
        last = max((row.valid_to_us for row in self.rows), default=END_US)
        return None if last == END_US else last

    def _order(self, row: Row) -> tuple[Cell, ...]:
        return (*key_of(ROWS[self.kind], row), row.valid_from_us)


def row_content(row: Row) -> dict[str, Any]:
    """A row as JSON, with its fields as a file has them; without what is empty."""
    cells: dict[str, Any] = {name: cell for name, cell in row.cells.items() if cell is not None and name not in _DATES}
    if row.valid_from_us != BEGINNING_US:
        cells["valid_from"] = iso_from_us(row.valid_from_us)
    if row.valid_to_us != END_US:
        cells["valid_to"] = iso_from_us(row.valid_to_us)
    if row.hours is not None:
        del cells["value"]
        cells[row.hours.shape] = row.hours.content()
    return cells
