"""`archive`: a signed month, from the database to files that are checked."""

import json

import pytest

from tests.support.audited import SECRETS_KEY
from tests.support.cli_running import Shell


@pytest.fixture
def closed(shell: Shell) -> Shell:
    """A ledger with a signed October of two prompts."""
    assert shell.run("migrate").exit_code == 0
    counts = {"input_tokens": 1000, "output_tokens": 100, "request_model": "no-such-model", "tenant_id": "acme"}
    ended = ("2026-10-01T08:00:00Z", "2026-10-15T08:00:00Z", "2026-11-02T08:00:00Z")
    events = shell.directory / "october.jsonl"
    events.write_text("\n".join(json.dumps({"event_id": f"e-{end[:10]}", "ended_at": end, **counts}) for end in ended))
    assert shell.run("ingest", str(events)).exit_code == 0
    shell.environment["RICE_SECRETS_KEY"] = SECRETS_KEY
    accepted = ("--accept", "unattributed", "--accept", "coverage", "--reason", "a trial month")
    assert shell.run("close", "--tenant", "acme", "--month", "2026-10", *accepted).exit_code == 0
    return shell


def test_a_month_is_archived_and_its_files_are_checked(closed: Shell) -> None:
    """Exit code 1 once a file was changed."""
    warehouse = closed.directory / "archive"
    document = closed.json("archive", "--before", "2026-11", RICE_ARCHIVE_WAREHOUSE=str(warehouse))
    [row] = document["rows"]
    assert (document["months"], document["records"], document["bytes"]) == (1, 2, row["bytes"])
    assert (row["tenant_id"], row["month"]) == ("acme", "2026-10")
    assert row["root"] == closed.json("periods", "--tenant", "acme")["rows"][1]["root"]
    again = closed.run("archive", "--before", "2026-11", "--warehouse", str(warehouse))
    assert again.stdout == "nothing to archive: every signed month is in the archive, or its records are gone\n"
    checked = closed.json("archive", "--check")
    assert checked == {"ok": True, "months": 1, "records": 2, "bytes": row["bytes"], "problems": []}
    next(warehouse.rglob("*.parquet")).unlink()
    broken = closed.run("archive", "--check")
    assert (broken.exit_code, broken.stdout.splitlines()[-1]) == (1, "DAMAGED")


def test_what_is_missing_is_said(closed: Shell) -> None:
    """Which months, and where to."""
    for arguments, why in [
        ((), "say which months"),
        (("--before", "soon", "--warehouse", "x"), "'soon' is no month"),
        (("--before", "2026-11", "--warehouse", "/proc/x"), "cannot be written ([Errno 2]"),
        (("--month", "2026-10"), "say which months"),
        (("--before", "2026-11"), "RICE_ARCHIVE_WAREHOUSE is not set"),
        (("--tenant", "acme", "--month", "2026-11", "--warehouse", "x"), "is not closed and signed"),
    ]:
        refused = closed.run("archive", *arguments)
        assert refused.exit_code == 2
        assert why in refused.stderr
    nowhere = closed.run("archive", "--before", "2026-11", RICE_ARCHIVE_WAREHOUSE="")
    assert "RICE_ARCHIVE_WAREHOUSE: must name a folder" in nowhere.stderr
