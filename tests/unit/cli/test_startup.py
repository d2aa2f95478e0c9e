"""The command line answers at once: what a command does not need is not loaded."""

import gc
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest

from rice_stream.cli import COMMANDS, cli
from rice_stream.cli.base import loading
from tests.support.cli_running import Shell

HEAVY = {
    "alembic",
    "confluent_kafka",
    "fastapi",
    "faust",
    "msgspec",
    "numpy",
    "psycopg",
    "pydantic",
    "rich.console",
    "sqlalchemy",
    "yaml",
}
"""Libraries that take long to load. (Of rich, a table needs the width of characters alone.)"""


def loaded(*arguments: str, directory: Path, **environment: str) -> set[str]:
    """The libraries of HEAVY that a command loads, in a process of its own. It has to succeed."""
    program = (
        "import json, sys\n"
        "from rice_stream.cli import cli\n"
        "try:\n    cli.main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print(json.dumps(sorted(sys.modules)))"
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
    """The table that a person gets costs no more than JSON."""
    url = str(ledger.environment["RICE_DATABASE_URL"])
    assert loaded(*arguments, "--json", directory=ledger.directory, RICE_DATABASE_URL=url) == {"pydantic", "sqlalchemy"}
    assert loaded(*arguments, directory=ledger.directory, RICE_DATABASE_URL=url) == {"pydantic", "sqlalchemy"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_of_each_what_its_own_help_begins_with(name: str) -> None:
    """`--help` has texts of its own, so that it need not load the commands; they must not drift apart."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert (command.name, command.get_short_help_str(limit=1_000)) == (name, COMMANDS[name])


@pytest.mark.parametrize(
    ("arguments", "missing", "extra"),
    [
        (["totals"], "sqlalchemy", "worker"),
        (["worker"], "faust", "worker"),
        (["estimate", "--model", "gpt-4o", "--input-tokens", "1", "--output-tokens", "1"], "numpy", "estimate"),
        (["serve"], "fastapi", "serve"),
        (["serve"], "opentelemetry", "serve"),
    ],
)
def test_a_command_without_its_extra_says_which_to_install(
    arguments: list[str], missing: str, extra: str, ledger: Shell
) -> None:
    """One line and exit code 2, whether the library is missed when the command is loaded or when it runs."""
    run = _without(missing, *arguments, ledger=ledger)
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].endswith(
        f"needs {missing}, which is not installed: pip install 'rice-stream[{extra}]'"
    )
    assert "Traceback" not in run.stderr


def test_a_module_of_our_own_that_is_missing_is_a_bug_and_not_an_extra(ledger: Shell) -> None:
    """Nothing that one could install helps: the error is not hidden."""
    run = _without("rice_stream.reports.sums", "totals", ledger=ledger)
    assert run.returncode == 1
    assert "internal error (ModuleNotFoundError)" in run.stderr


def test_help_and_version_need_no_extra(ledger: Shell) -> None:
    """The light base answers what there is."""
    for arguments in (["--help"], ["--version"]):
        assert _without("numpy", *arguments, ledger=ledger).returncode == 0


def _without(missing: str, *arguments: str, ledger: Shell) -> subprocess.CompletedProcess[str]:
    """The command in a process that cannot import the module."""
    program = (
        "import sys\n"
        "from rice_stream.cli import main\n"
        "missing = sys.argv.pop(1)\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == missing:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "main()"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RICE_")}
    url = str(ledger.environment["RICE_DATABASE_URL"])
    return subprocess.run(
        [sys.executable, "-c", program, missing, *arguments],
        cwd=ledger.directory,
        env={**kept, "RICE_DATABASE_URL": url, "RICE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "RICE_HTTP_PORT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_server_starts_without_what_it_may_never_need() -> None:
    """Clients of other services, what it takes to estimate and account, to check signatures and to describe itself: they are
    loaded where somebody asks for them."""
    program = (
        "import json, sys\n"
        "import rice_stream.cli.serve\n"
        "from rice_stream.api.app import create_app\n"
        "from rice_stream.api.ingestion.publishing import Publisher\n"
        "from rice_stream.runtime.channels_file import following_channels_file\n"
        "from rice_stream.runtime.delivery_chores import delivery_chores\n"
        "from rice_stream.runtime.opening_delivery import delivering\n"
        "from rice_stream.runtime.settings.settings import Settings\n"
        "settings = Settings()\n"
        "create_app(settings, Publisher(settings))\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    clients = {"aiohttp", "aiosmtplib", "stamina", "faust", "rice_stream.alerting.sending"}
    for_few = {"alembic", "cryptography", "joserfc", "numpy", "yaml", "rice_stream.runtime.opening_pipeline"}
    for_the_document = {"rice_stream.api.document.answers", "rice_stream.api.document.building"}
    assert (clients | for_few | for_the_document) & set(json.loads(run.stdout)) == set()


def test_what_is_loaded_is_not_looked_through_by_the_collector() -> None:
    """It is on again afterwards, also after an error, and off where it was."""
    with suppress(ValueError), loading():
        assert not gc.isenabled()
        raise ValueError
    assert gc.isenabled()
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
