"""Reference tables as bytes, so that a version of them can be used again when the package holds another one. Pure."""

import json
import zlib
from dataclasses import replace

from rice_stream.errors import ReferenceDataError
from rice_stream.reference.checks import check_tables
from rice_stream.reference.loader import RULES_VERSION, version_of
from rice_stream.reference.lookup import Reference
from rice_stream.reference.reading import Row
from rice_stream.reference.tables import TABLES

UNPACKED_BYTES_MAX = 64 * 1024 * 1024
"""More than any tables that can be loaded; kept bytes that would unpack to more are damaged."""


def content_of(reference: Reference) -> bytes:
    """The tables, compressed; the same tables are the same bytes with the same library for compressing.

    Numbers keep their kind: 1 and 1.0 are different cells to the version.
    """
    tables = {
        name: [[row.valid_from_us, row.valid_to_us, row.overlaid, row.cells] for row in rows]
        for name, rows in reference.tables.items()
    }
    text = json.dumps(tables, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return zlib.compress(text.encode(), 9)


def reference_of(content: bytes, version: str) -> Reference:
    """The tables that `content_of` made, which are held against their version.

    Raises:
        ReferenceDataError: they are damaged, or another release kept them whose tables have other columns or rules.
    """
    tables = _tables(content, version)
    try:
        known = version_of(tables)
    except KeyError as missing:
        raise ReferenceDataError(
            f"tables {version}: another release kept them; they have no column {missing}"
        ) from None
    if known != version:
        raise ReferenceDataError(
            f"tables {version}: what is kept of them is {known} to this release; use the release that kept them"
        )
    check_tables(tables)
    return Reference(tables, version)


def is_of_version(content: bytes, version: str) -> bool:
    """Whether they are the tables of their version, by the columns and rules of this release or of an earlier one.

    Columns that the release that kept them did not have yet are no part of what it made the version of.
    """
    try:
        tables = _tables(content, version)
        shapes = [
            replace(table, columns=tuple(each for each in table.columns if each.name in tables[table.name][0].cells))
            for table in TABLES
            if tables[table.name]
        ]
        return any(version_of(tables, shapes, rules) == version for rules in range(1, RULES_VERSION + 1))
    except (ReferenceDataError, KeyError, TypeError, ValueError, AttributeError):
        return False  # whatever somebody has put there


def _tables(content: bytes, version: str) -> dict[str, list[Row]]:
    found = _unpacked(content, version)
    return {
        table.name: [
            Row(f"kept tables {version}", cells, start_us, end_us, overlaid=overlaid)
            for start_us, end_us, overlaid, cells in found.get(table.name, ())
        ]
        for table in TABLES
    }


def _unpacked(content: bytes, version: str) -> dict[str, list[tuple[int, int, bool, dict[str, str | float | None]]]]:
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(content, UNPACKED_BYTES_MAX)
        if not unpacking.eof:
            raise ReferenceDataError(f"tables {version}: what is kept of them is cut short or too large")
        found: dict[str, list[tuple[int, int, bool, dict[str, str | float | None]]]] = json.loads(text)
    except (zlib.error, ValueError) as damaged:
        raise ReferenceDataError(f"tables {version}: what is kept of them is damaged ({damaged})") from None
    return found
