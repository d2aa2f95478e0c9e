"""A file that is begun: what the dead have left is taken away, what is being written stays, and a full disk is told."""

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rice_stream.errors import UsageError
from rice_stream.reports.exports.begun_file import begun_file
from rice_stream.reports.exports.columns import ExportColumn
from rice_stream.reports.exports.making import write_manifest
from rice_stream.reports.exports.workbooks import write_workbook
from tests.support.faults import small_disk

_KILLED = """
import os, signal, sys
from pathlib import Path
from rice_stream.reports.exports.begun_file import begun_file
with begun_file(Path(sys.argv[1])) as part:
    part.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_has_left_is_taken_away(tmp_path: Path) -> None:
    """By the next one into the folder; what others write there, and files of other names, stay."""
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [each.read_text() for each in tmp_path.iterdir()] == ["half"]
    (tmp_path / ".rice-export.part").touch()
    (tmp_path / ".october.csv.part").touch()
    with begun_file(tmp_path) as one, begun_file(tmp_path) as other:
        assert {each.name for each in tmp_path.iterdir()} == {
            one.name,
            other.name,
            ".rice-export.part",
            ".october.csv.part",
        }
        one.replace(tmp_path / "october.csv")
    assert {each.name for each in tmp_path.iterdir()} == {"october.csv", ".rice-export.part", ".october.csv.part"}


def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    """By every writer, with what to say of it; nothing is left on it."""
    columns = [ExportColumn("name", "text")]
    rows = [[(f"{number:>900}",)] for number in range(3)]
    with small_disk(1) as disk:
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(bytes(2_000_000))
        with pytest.raises(UsageError, match=r"--out .*month.csv.manifest.json: cannot be written \(No space left"):
            write_manifest({"kind": "chargeback"}, disk / "month.csv.manifest.json")
        with pytest.raises(OSError, match="No space left"), begun_file(disk) as part:
            write_workbook(part, columns, rows, list, created=datetime(2026, 11, 1, tzinfo=UTC))
        assert list(disk.iterdir()) == [filler]
