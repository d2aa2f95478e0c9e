"""What a file says, whatever its format: the digest that CSV, Parquet, XLSX and JSON of the same answer have in common."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from rice_stream.canonical_json import canonical_json
from rice_stream.reports.column_batches import ColumnBatch
from rice_stream.reports.exports.columns import ExportColumn, Rows
from rice_stream.reports.exports.csv_cells import csv_lines, csv_row


class CountedRows:
    """Batches of rows that are counted, and digested as lines of CSV (RFC 4180, UTF-8), while somebody else goes through them."""

    def __init__(self, columns: Sequence[ExportColumn], batches: Rows) -> None:
        self._batches = batches
        self._width, self._kinds = len(columns), [column.kind for column in columns]
        self._header = csv_row([column.name for column in columns]).encode() + b"\r\n"
        self._digest = hashlib.sha256(self._header)
        self.rows = 0

    def __iter__(self) -> Iterator[Sequence[Sequence[Any]]]:
        """The batches, each counted once."""
        for batch, _ in self._counted():
            yield batch

    def csv_pieces(self) -> Iterator[bytes]:
        """In their place the lines that are digested: a CSV file, whose digest is that of what it says."""
        yield self._header
        for _, lines in self._counted():
            yield lines

    def _counted(self) -> Iterator[tuple[ColumnBatch, bytes]]:
        for batch in self._batches:
            if not len(batch):
                continue
            held = ColumnBatch.of(batch, self._width)
            lines = csv_lines(held.columns, self._kinds)
            self._digest.update(lines)
            self.rows += len(held)
            yield held, lines

    @property
    def sha256(self) -> str:
        """Of the header and all lines so far, in hexadecimal."""
        return self._digest.hexdigest()


def document_sha256(document: object) -> str:
    """Of a document in its canonical form (RFC 8785), in hexadecimal."""
    return hashlib.sha256(canonical_json(document)).hexdigest()
