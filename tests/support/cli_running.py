"""The command line, run in this process: what it prints on stdout and stderr, and the code it ends with."""

import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rice_stream.cli import cli

EVENTS = (
    {"event_id": "e-1", "tenant_id": "acme", "team_id": "search", "user_id": "u-1", "request_model": "gpt-4o"},
    {"event_id": "e-2", "tenant_id": "acme", "team_id": "search", "request_model": "gpt-4o"},
    {"event_id": "e-3", "tenant_id": "globex", "request_model": "no-such-model-of-anybody"},
)
ENDED_AT = datetime.now(UTC) - timedelta(minutes=1)
MONTH = f"{ENDED_AT:%Y-%m}"
"""That of the events, whatever month it is once they are read."""
REFUSED = {"event_id": "e-4", "tenant_id": "acme", "output_tokens": 1}


class Shell:
    """Runs commands against one SQLite database in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment: dict[str, str | None] = {"RICE_DATABASE_URL": f"sqlite:///{directory / 'rice.db'}"}

    def run(self, *arguments: str, **environment: str) -> Result:
        """One command line, as typed after `rice-stream`."""
        result = CliRunner().invoke(
            cli, list(arguments), env={**self.environment, **environment}, prog_name="rice-stream"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *arguments: str, code: int = 0, **environment: str) -> Any:
        """The one document that the command prints with `--json`, and nothing but it."""
        result = self.run(*arguments, "--json", **environment)
        assert result.exit_code == code, result.stderr
        document, end = json.JSONDecoder().raw_decode(result.stdout)
        assert result.stdout[end:].strip() == ""
        return document

    def write_events(self, name: str = "events.jsonl") -> Path:
        """A file of three good events that ended lately, and a bad one."""
        common = {"ended_at": ENDED_AT.isoformat(), "input_tokens": 1000, "output_tokens": 100}
        path = self.directory / name
        path.write_text("\n".join(json.dumps(event) for event in [*({**common, **e} for e in EVENTS), REFUSED]))
        return path


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell without any RICE_* of ours around it, in a directory of its own."""
    for name in [name for name in os.environ if name.startswith("RICE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    # The worker configures logging for its process; here that is the test's.
    root, own = logging.getLogger(), logging.getLogger("rice_stream")
    before = (root.handlers[:], root.level, own.level)
    yield Shell(tmp_path)
    root.handlers[:], _, _ = before
    root.setLevel(before[1])
    own.setLevel(before[2])


@pytest.fixture(scope="session")
def filled_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with three records of two tenants and one refused event, made once."""
    shell = Shell(tmp_path_factory.mktemp("ledger"))
    assert shell.run("migrate").exit_code == 0
    assert shell.run("ingest", str(shell.write_events())).exit_code == 0
    return shell.directory / "rice.db"


@pytest.fixture
def ledger(shell: Shell, filled_database: Path) -> Shell:
    """A shell on a copy of that database, for the test alone."""
    with (
        closing(sqlite3.connect(filled_database)) as source,
        closing(sqlite3.connect(shell.directory / "rice.db")) as own,
    ):
        source.backup(own)
    return shell


def spelled(path: tuple[str, ...]) -> str:
    """For the names of parametrised tests."""
    return " ".join(path)
