"""`rebuild` and what meets a changed schema, as people see them: answers, sentences and exit codes."""

import sqlite3
from typing import Any

import pytest

from rice_stream.cli import ingest as ingest_command
from rice_stream.cli import quarantine as quarantine_command
from rice_stream.runtime.opening_pipeline import open_pipeline
from tests.support.cli_running import Shell

REPLAY = (
    "quarantine",
    "replay",
    "--all",
    "--set",
    "ended_at=2026-11-20T00:00:00Z",
    "--set",
    "request_model=gpt-4o",
    "--set",
    "input_tokens=1",
)


def change(ledger: Shell, statement: str) -> None:
    with sqlite3.connect(ledger.directory / "rice.db") as connection:
        connection.execute(statement)


def test_a_ledger_that_is_right_stays_as_it_is(ledger: Shell) -> None:
    """The fields that scripts rely on, and exit code 0."""
    document = ledger.json("rebuild")
    assert {name: document[name] for name in ("ok", "rows_rebuilt", "differences_before")} == {
        "ok": True,
        "rows_rebuilt": 0,
        "differences_before": 0,
    }
    assert {row["table"] for row in document["tables"]} >= {"minute_total", "slot_total", "day_total"}
    assert ledger.run("rebuild").stdout == "ok: no total differs from its records\n"


def test_what_verify_finds_wrong_rebuild_puts_right(ledger: Shell) -> None:
    """A dry run says so first, with exit code 1, and changes nothing."""
    change(ledger, "UPDATE minute_total SET prompts = prompts + 1")
    change(ledger, "DELETE FROM day_total")
    assert ledger.json("verify", code=1)["ok"] is False
    assert "`rice-stream rebuild` puts right" in ledger.run("verify").stderr
    dry = ledger.run("rebuild", "--dry-run")
    assert dry.exit_code == 1
    assert dry.stdout.startswith("DIFFERENT: 4 row(s); nothing was changed (--dry-run)")
    assert ledger.json("rebuild", "--dry-run", code=1)["differences_before"] == 4
    assert ledger.json("rebuild", "--to", "2020-01-01")["differences_before"] == 0
    shown = ledger.run("rebuild", "--from", "2020-01-01")
    assert (shown.exit_code, shown.stdout.splitlines()[0]) == (0, "ok: 4 row(s) put right")
    lines = {line.split()[0]: line.split()[1:] for line in shown.stdout.splitlines()[2:]}
    assert lines["minute_total"] == ["0", "0", "2", "2"]
    assert lines["day_total"] == ["2", "0", "0", "2"]
    assert ledger.json("verify")["ok"] is True


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tenant", "nobody"), "--tenant nobody: there is no such tenant"),
        (("--from", "soon"), "--from soon"),
        (("--from", "2026-11-02", "--to", "2026-11-01"), "--from must be earlier than --to"),
    ],
)
def test_what_cannot_be_rebuilt_is_said_in_one_line(ledger: Shell, arguments: tuple[str, ...], said: str) -> None:
    """With exit code 2, and nothing on stdout."""
    result = ledger.run("rebuild", *arguments, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.parametrize(
    ("module", "arguments"),
    [(ingest_command, ("ingest", "more.jsonl")), (quarantine_command, REPLAY)],
    ids=["ingest", "replay"],
)
@pytest.mark.parametrize(
    "migration",
    ["", "ALTER TABLE tenant RENAME COLUMN tenant_id TO name"],
    ids=["unknown to it", "in its way"],
)
def test_a_migration_in_the_middle_ends_a_command_with_what_to_do(
    ledger: Shell, monkeypatch: pytest.MonkeyPatch, module: Any, arguments: tuple[str, ...], migration: str
) -> None:
    """Another version migrates after the command has looked at the schema: exit code 2, one sentence, nothing stored."""
    before = ledger.json("verify")["records"]
    ledger.write_events("more.jsonl").write_text(ledger.write_events("more.jsonl").read_text().replace('"e-', '"f-'))

    def migrated_meanwhile(*given: Any, **named: Any) -> Any:
        opened = open_pipeline(*given, **named)
        for view in (
            ("prompt_emission", "rolling_totals", "rolling_totals_by_team", "hourly_totals") if migration else ()
        ):
            change(ledger, f"DROP VIEW {view}")
        change(ledger, migration)
        change(ledger, "UPDATE alembic_version SET version_num = '9999'")
        return opened

    monkeypatch.setattr(module, "open_pipeline", migrated_meanwhile)
    result = ledger.run(*arguments, "--json", RICE_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "rice-stream: the database is at schema 9999" in result.stderr
    assert "start a version that works with it" in result.stderr
    with sqlite3.connect(ledger.directory / "rice.db") as connection:
        assert connection.execute("SELECT COUNT(*) FROM prompt_record").fetchone() == (before,)
