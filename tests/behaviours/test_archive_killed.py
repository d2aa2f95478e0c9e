"""An archive that is killed (kill -9) anywhere goes on when it is asked for again: the same bytes, one snapshot, nothing twice."""

import hashlib
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rice_stream.ledger import archiving
from rice_stream.ledger.archiving import Archiving, months_to_archive
from rice_stream.proof.archive_verification import verify_archive
from rice_stream.store.archive.iceberg import ArchiveTable
from rice_stream.store.engine import Engine
from rice_stream.store.retention import drop_records_before
from tests.support.closing import close
from tests.support.databases import Databases
from tests.support.fakes import OPERATOR
from tests.support.reports_store import at, open_store
from tests.support.store_checks import rows_in

PROGRAM = """
import os, signal, sys
from pathlib import Path
from rice_stream.ledger import archiving
from rice_stream.ledger.archiving import Archiving, months_to_archive
from rice_stream.store.archive import part_files
from rice_stream.store.archive.iceberg import ArchiveTable
from rice_stream.store.engine import open_engine
from tests.support.fakes import OPERATOR

url, warehouse, step, calls = sys.argv[1:]
holder = {"_table": part_files, "add": ArchiveTable}.get(step, archiving)
real, left = getattr(holder, step), int(calls)

def dies(*arguments, **options):
    global left
    found = real(*arguments, **options)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return found

setattr(holder, step, dies)
archiving.ROW_GROUP_ROWS, archiving._GROUPS_OF_A_FILE = 4, 2
engine = open_engine(url)
for month in months_to_archive(engine, before="2026-11"):
    Archiving(engine, Path(warehouse), OPERATOR).archive(month)
"""
KILLS = [
    ("_table", 1),
    ("write_part", 1),
    ("_table", 3),
    ("write_part", 3),
    ("_prove", 1),
    ("add", 1),
    ("save_month", 1),
]
"""Functions after whose so many-th call it is killed: within the first file, after it, within a later one, and so on."""


def archived(engine: Engine, warehouse: Path) -> None:
    """Archive what is left, in one go."""
    for month in months_to_archive(engine, before="2026-11"):
        Archiving(engine, warehouse, OPERATOR).archive(month)


def digests(warehouse: Path) -> dict[str, str]:
    """Of all data files, by their name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in warehouse.rglob("*.parquet")}


def test_an_archive_that_is_killed_goes_on(
    either_database: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One kill after the other, in one ledger; a month that nobody killed has the same bytes."""
    url, killed, whole = either_database.emptied(), tmp_path / "killed", tmp_path / "whole"
    with open_store(url) as store:
        store.add(*(at(f"2026-10-{day:02d}T08:00:00Z", user_id=f"u-{day % 3}") for day in range(1, 31)))
        close(store.engine, "2026-10")
        store.add(at("2026-10-31T08:00:00Z"))
        for step, calls in KILLS:
            run = subprocess.run(
                [sys.executable, "-c", PROGRAM, url, str(killed), step, str(calls)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert run.returncode == -signal.SIGKILL, run.stderr
            assert rows_in(store.engine)("archived_month") == []
        monkeypatch.setattr(archiving, "ROW_GROUP_ROWS", 4)
        monkeypatch.setattr(archiving, "_GROUPS_OF_A_FILE", 2)
        archived(store.engine, killed)
        [month] = rows_in(store.engine)("archived_month")
        assert (month["records"], month["late"]) == (31, 1)
        assert len(rows_in(store.engine)("archived_file")) == len(digests(killed)) == 5
        table = ArchiveTable(store.engine, killed).table
        assert [each.snapshot_id for each in table.snapshots()] == [month["snapshot_id"]]
        assert table.scan().to_arrow().num_rows == 31
        assert verify_archive(store.engine)["ok"]
        assert [row["action"] for row in rows_in(store.engine)("audit_entry")].count("archive.add") == 1
        assert not list(killed.rglob(".*.begun"))
        store.execute("DELETE FROM archived_file")
        store.execute("DELETE FROM archived_month")
        archived(store.engine, whole)
        assert digests(whole) == digests(killed)
        drop_records_before(store.engine, datetime(2026, 11, 1, tzinfo=UTC))
        assert verify_archive(store.engine)["ok"]
