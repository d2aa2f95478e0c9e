"""The command line answers at once: what a command does not need is not loaded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from rice_stream.cli import COMMANDS, cli
from tests.support.cli_running import Shell, filled_database, ledger, shell

__all__ = ["filled_database", "ledger", "shell"]

HEAVY = {
    "alembic",
    "confluent_kafka",
    "fastapi",
    "faust",
    "msgspec",
    "numpy",
    "psycopg",
    "pydantic",
    "rich",
    "sqlalchemy",
    "yaml",
}
"""Libraries that take long to load."""


def loaded(*arguments: str, directory: Path, **environment: str) -> set[str]:
    """The libraries of HEAVY that a command loads, in a process of its own. It has to succeed."""
    program = (
        "import json, sys\n"
        "from rice_stream.cli import cli\n"
        "try:\n    cli.main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RICE_")}
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=directory,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return HEAVY & set(json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]], ids=" ".join)
def test_help_and_version_load_nothing_but_the_command_line(arguments: list[str], tmp_path: Path) -> None:
    assert loaded(*arguments, directory=tmp_path) == set()


@pytest.mark.parametrize("arguments", [["totals"], ["budget", "list"], ["alerts"]], ids=" ".join)
def test_reports_load_the_database_and_the_settings_only(arguments: list[str], ledger: Shell) -> None:
    """rich comes with the table that a person gets, and not with JSON."""
    url = str(ledger.environment["RICE_DATABASE_URL"])
    assert loaded(*arguments, "--json", directory=ledger.directory, RICE_DATABASE_URL=url) == {"pydantic", "sqlalchemy"}
    assert loaded(*arguments, directory=ledger.directory, RICE_DATABASE_URL=url) == {"pydantic", "rich", "sqlalchemy"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_of_each_what_its_own_help_begins_with(name: str) -> None:
    """`--help` has texts of its own, so that it need not load the commands; they must not drift apart."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert (command.name, command.get_short_help_str(limit=1_000)) == (name, COMMANDS[name])
