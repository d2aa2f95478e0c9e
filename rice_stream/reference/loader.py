"""The only module of this package that reads files: the shipped tables and a user's overlay folder.

Three layers, the later over the earlier: `data/derived` (written by training/reference_tables.py from published data
sets), `data` (kept by hand), the overlay.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from rice_stream.errors import ReferenceDataError
from rice_stream.reference.checks import check_tables
from rice_stream.reference.columns import ReferenceTable
from rice_stream.reference.lookup import Reference
from rice_stream.reference.merging import merge_layers
from rice_stream.reference.reading import Row, key_of, raise_problems, read_table
from rice_stream.reference.tables import TABLES

RULES_VERSION = 2
"""Part of the version: raise it when a look-up rule changes an answer without a change of the tables."""

MAX_FILE_BYTES = 32 * 1024 * 1024


def load_reference(overlay_dir: Path | None = None) -> Reference:
    """The shipped tables, with the rows of `overlay_dir/*.csv` on top.

    Raises ReferenceDataError naming file, row and column for anything that is not allowed, and for an overlay folder
    that is missing or holds a CSV file that is no table.
    """
    return _shipped() if overlay_dir is None else _load([*_shipped_layers(), _read_overlay(overlay_dir)])


@cache
def _shipped() -> Reference:
    return _load(_shipped_layers())


def _load(layers: Sequence[dict[str, list[Row]]]) -> Reference:
    tables = merge_layers(layers)
    check_tables(tables)
    return Reference(tables, version_of(tables))


@cache
def _shipped_layers() -> tuple[dict[str, list[Row]], ...]:
    """What is in the package cannot change while the process runs; rows are never changed either."""
    shipped = resources.files(__package__) / "data"
    return read_layer(shipped / "derived"), read_layer(shipped)


def version_of(
    tables: Mapping[str, Sequence[Row]], shapes: Sequence[ReferenceTable] = TABLES, rules: int = RULES_VERSION
) -> str:
    """`factors-` and 12 hex digits over every row in force, whatever the order and layout of the files.

    `shapes` and `rules`: those of an earlier release, which tell what it called the same rows.
    """
    digest = hashlib.sha256(f"rules {rules}\n".encode())
    for table in shapes:
        rows = sorted(tables[table.name], key=lambda row: (key_of(table, row), row.valid_from_us))
        for row in rows:
            cells = [repr(row.cells[column.name]) for column in table.columns]
            line = "\x1f".join((table.name, str(row.valid_from_us), str(row.valid_to_us), *cells))
            digest.update(line.encode() + b"\n")
    return f"factors-{digest.hexdigest()[:12]}"


def read_layer(folder: Traversable) -> dict[str, list[Row]]:
    """The tables that a folder of shipped data holds."""
    found = {}
    for table in TABLES:
        file = folder / table.file_name
        if file.is_file():
            found[table.name] = read_table(table, file.read_text("utf-8"), table.file_name)
    return found


def _read_overlay(folder: Path) -> dict[str, list[Row]]:
    if not folder.is_dir():
        raise ReferenceDataError(
            f"reference overlay {folder}: not a folder; give the folder that holds your CSV tables"
        )
    known = {table.file_name: table for table in TABLES}
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    raise_problems(
        [f"{path}: no table has this name; tables are {', '.join(known)}" for path in files if path.name not in known]
    )
    return {known[path.name].name: _read_file(known[path.name], path) for path in files}


def _read_file(table: ReferenceTable, path: Path) -> list[Row]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ReferenceDataError(f"{path}: larger than {MAX_FILE_BYTES} bytes; split or shorten it")
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ReferenceDataError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    except OSError as error:
        raise ReferenceDataError(f"{path}: cannot be read ({error.strerror})") from error
    return [replace(row, overlaid=True) for row in read_table(table, text, str(path))]
