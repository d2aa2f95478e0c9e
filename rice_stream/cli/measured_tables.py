"""Tables of measured rows that `calibrate` reads: the user's own, and those that CodeCarbon and Eco2AI write."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rice_stream.cli.csv_files import open_table
from rice_stream.errors import UsageError
from rice_stream.meter.measured_rows import MACHINE, Measured, energy_column, measured_row
from rice_stream.meter.tracker_files import (
    ADDED_COLUMNS,
    RUN,
    Tracker,
    energy_of,
    measured_cells,
    run_of,
    tracker_of,
)

Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MeasuredTable:
    """A table's rows, and who wrote it: a tracker's name, or None for a table of one's own."""

    rows: list[Measured]
    tracker: str | None

    @property
    def boundaries(self) -> list[str]:
        return sorted({row.boundary for row in self.rows})

    @property
    def of_machine(self) -> bool:
        return MACHINE in self.boundaries


def read_measured(path: Path, runs_file: Path | None, assignments: Sequence[str]) -> MeasuredTable:
    """A table of measured rows. UsageError names file, row and column, and what to add."""
    every = _assigned(assignments)
    runs = {} if runs_file is None else _runs(runs_file)
    with open_table(path) as stream:
        reader = csv.DictReader(stream)
        header = reader.fieldnames or []
        tracker = tracker_of(header)
        if tracker is None:
            if runs_file is not None:
                raise UsageError(
                    f"--runs: {path} was written neither by CodeCarbon nor by Eco2AI; put its columns in there"
                )
            energy = energy_column([*header, *every], str(path))
            rows = [
                measured_row({**every, **_not_blank(cells)} if every else cells, energy, where)
                for where, cells in _rows(reader, path)
            ]
            return MeasuredTable(rows, None)
        return MeasuredTable(list(_tracked(tracker, reader, path, (runs_file, runs), every)), tracker.name)


def _tracked(
    tracker: Tracker,
    reader: "csv.DictReader[str]",
    path: Path,
    described: tuple[Path | None, Mapping[str, Cells]],
    every: Cells,
) -> Iterator[Measured]:
    runs_file, runs = described
    energy = energy_of(tracker, reader.fieldnames or [])
    used = set()
    for where, cells in _rows(reader, path):
        run = None
        if runs_file is not None:
            name, run = run_of(tracker, cells, runs, where, str(runs_file))
            used.add(name)
        yield measured_row(measured_cells(tracker, cells, where, run, every), energy, where)
    left = sorted(set(runs) - used)
    if left:
        raise UsageError(f"{runs_file}, column {RUN}: {left[0]!r} is no run in {path}")


def _rows(reader: "csv.DictReader[str]", path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    for number, row in enumerate(reader, start=2):
        where = f"{path}, row {number}"
        if None in row or None in row.values():
            raise UsageError(f"{where}: has another number of cells than the header")
        yield where, {str(key): str(value) for key, value in row.items()}


def _runs(path: Path) -> dict[str, Cells]:
    with open_table(path) as stream:
        reader = csv.DictReader(stream)
        header = reader.fieldnames or []
        if RUN not in header:
            raise UsageError(f"{path}: the column {RUN} is missing: which run of the tracker a line describes")
        unknown = [name for name in header if name not in (RUN, *ADDED_COLUMNS)]
        if unknown:
            raise UsageError(f"{path}, column {unknown[0]}: is not one of {', '.join((RUN, *ADDED_COLUMNS))}")
        found: dict[str, Cells] = {}
        for where, cells in _rows(reader, path):
            name = cells[RUN].strip()
            if not name or name in found:
                raise UsageError(f"{where}, column {RUN}: {'is there twice' if name else 'is empty'}: {name!r}")
            found[name] = cells
        return found


def _assigned(assignments: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or name not in ADDED_COLUMNS or not value.strip():
            raise UsageError(f"--set {text}: is not COLUMN=VALUE, with COLUMN one of {', '.join(ADDED_COLUMNS)}")
        found[name] = value
    return found


def _not_blank(cells: Cells) -> dict[str, str]:
    return {name: cell for name, cell in cells.items() if cell.strip()}
