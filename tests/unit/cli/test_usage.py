"""Help with examples, and wrong usage answered with exit code 2 and one line that says what to do, never a traceback."""

from pathlib import Path

import click
import pytest

from rice_stream.cli import cli
from tests.support.cli_running import Shell, spelled
from tests.support.commands import all_commands

COMMANDS = [path for path, _ in all_commands()]
LEAVES = [path for path, command in all_commands() if not isinstance(command, click.Group)]
WITHOUT_JSON = {("worker",), ("local",), ("serve",)}
"""The worker runs until it is stopped; `local` prints what its command prints."""


def assert_refused(result: click.testing.Result, *said: str, code: int = 2) -> None:
    """The exit code, one message on stderr with these words, nothing on stdout, no traceback."""
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    for words in said:
        assert words in result.stderr


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=spelled)
def test_help_has_an_example_of_this_very_command(path: tuple[str, ...], shell: Shell) -> None:
    """Nobody has to guess: each help shows a line that can be typed."""
    result = shell.run(*path, "--help")
    assert result.exit_code == 0
    _, _, examples = " ".join(result.stdout.split()).partition("Example: ")
    assert f"rice-stream {spelled(path)}".strip() in examples
    assert shell.run(*path, "-h").stdout == result.stdout


@pytest.mark.parametrize("path", LEAVES, ids=spelled)
def test_every_command_can_answer_in_json(path: tuple[str, ...]) -> None:
    """Scripts need no scraping; the two that run something else are the exception."""
    command = dict(all_commands())[path]
    options = {name for parameter in command.params for name in parameter.opts}
    assert ("--json" in options) == (path not in WITHOUT_JSON)


@pytest.mark.parametrize("path", [path for path in LEAVES if path != ("local",)], ids=spelled)
def test_an_unknown_option_is_wrong_usage(path: tuple[str, ...], shell: Shell) -> None:
    """(`local` takes everything behind it as the command to run.)"""
    assert_refused(shell.run(*path, "--no-such-option"), "--no-such-option")


def test_an_unknown_command_is_wrong_usage(shell: Shell) -> None:
    """The message names what was typed."""
    assert_refused(shell.run("no-such-command"), "no-such-command")
    assert_refused(shell.run("budget", "no-such-command"), "no-such-command")


def test_all_problems_of_the_settings_are_told_at_once(shell: Shell) -> None:
    """One run shows every misspelt and every impossible setting, by name."""
    result = shell.run("budget", "list", RICE_KAFKA_SESION_TIMEOUT_S="6", RICE_PUE="0.5", RICE_LOG_FORMAT="xml")
    assert_refused(result, "3 problem(s)", "RICE_KAFKA_SESION_TIMEOUT_S", "RICE_PUE", "RICE_LOG_FORMAT")


def test_a_settings_file_is_read_and_its_mistakes_are_named(shell: Shell) -> None:
    """--config and RICE_CONFIG; an unknown key, no TOML, no file; and the environment wins over the file."""
    good = shell.directory / "good.toml"
    good.write_text(f'database_url = "sqlite:///{shell.directory / "other.db"}"\nlog_level = "debug"\n')
    shell.environment.clear()
    assert shell.run("--config", str(good), "migrate").exit_code == 0
    assert (shell.directory / "other.db").exists()
    assert shell.run("budget", "list", RICE_CONFIG=str(good)).exit_code == 0
    override = f"sqlite:///{shell.directory / 'third.db'}"
    assert shell.run("--config", str(good), "migrate", RICE_DATABASE_URL=override).exit_code == 0
    assert (shell.directory / "third.db").exists()
    bad = shell.directory / "bad.toml"
    bad.write_text("no_such_key = 1\n")
    assert_refused(shell.run("--config", str(bad), "budget", "list"), "no_such_key")
    bad.write_text("not toml at all")
    assert_refused(shell.run("--config", str(bad), "budget", "list"), "bad.toml", "TOML")
    assert_refused(shell.run("--config", "nowhere.toml", "budget", "list"), "nowhere.toml")


@pytest.mark.parametrize(
    "path", [("budget", "list"), ("alerts",), ("tenant", "list"), ("verify",), ("totals",)], ids=spelled
)
def test_a_database_without_the_schema_says_so(path: tuple[str, ...], shell: Shell) -> None:
    """Nothing is created behind one's back; the message names the command that does it."""
    assert_refused(shell.run(*path), "rice-stream migrate")


def test_databases_that_do_not_work_are_told_apart(shell: Shell) -> None:
    """No URL and a foreign database are wrong settings (2); one that does not answer is a service (3)."""
    assert_refused(shell.run("migrate", RICE_DATABASE_URL="nonsense"), "RICE_DATABASE_URL")
    assert_refused(shell.run("migrate", RICE_DATABASE_URL="mysql://h/d"), "mysql", "postgresql, sqlite")
    unreachable = shell.run("migrate", RICE_DATABASE_URL="postgresql://rice:hunter2@127.0.0.1:1/rice")
    assert_refused(unreachable, "127.0.0.1", code=3)
    assert "hunter2" not in unreachable.stderr


def test_budgets_that_make_no_sense_are_refused_with_every_problem(shell: Shell) -> None:
    """The field, and what is allowed; nothing is stored."""
    shell.run("migrate")
    base = ("budget", "set", "b", "--tenant", "acme", "--period", "month")
    assert_refused(shell.run(*base), "limit_gco2e", "limit_kwh")
    assert_refused(shell.run(*base, "--limit-gco2e", "1", "--limit-kwh", "1"), "exactly one")
    assert_refused(shell.run(*base, "--limit-gco2e", "-1", "--time-zone", "Mars"), "limit_gco2e", "Mars")
    assert_refused(shell.run(*base, "--limit-gco2e", "1", "--threshold", "80"), "thresholds")
    assert_refused(shell.run("budget", "remove", "b"), "'b'", "rice-stream budget list")
    assert shell.json("budget", "list") == {"budgets": []}


def test_a_budgets_file_with_one_mistake_changes_nothing(shell: Shell) -> None:
    """All or nothing, and the place of the mistake."""
    shell.run("migrate")
    path = shell.directory / "budgets.yaml"
    path.write_text(
        "- {name: a, tenant_id: acme, period: month, limit_gco2e: 1}\n"
        "- {name: b, tenant_id: acme, period: moon, limit_gco2e: 1}\n"
    )
    assert_refused(shell.run("budget", "apply", str(path)), "budgets[1].period")
    path.write_text("a: [")
    assert_refused(shell.run("budget", "apply", str(path)), "not YAML")
    assert shell.json("budget", "list") == {"budgets": []}


def test_ingest_refuses_what_it_cannot_read(shell: Shell) -> None:
    """No file, and a cut gzip file."""
    shell.run("migrate")
    assert_refused(shell.run("ingest"))
    assert_refused(shell.run("ingest", "nowhere.jsonl"), "nowhere.jsonl")
    cut = shell.directory / "cut.jsonl.gz"
    cut.write_bytes(b"\x1f\x8b\x08\x00")
    assert_refused(shell.run("ingest", str(cut)), "cut.jsonl.gz")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--output-tokens", "1", "--model", "gpt-4o"), "--input-tokens"),
        (("--input-tokens", "1", "--output-tokens", "1"), "params_total_b"),
        (("--input-tokens", "x", "--output-tokens", "1", "--model", "gpt-4o"), "--input-tokens"),
        (("--input-tokens", "1", "--output-tokens", "1", "--model", "gpt-4o", "--pue", "0.9"), "--pue"),
        (("--input-tokens", "1", "--output-tokens", "1", "--model", "gpt-4o", "--precision", "fp7"), "fp7"),
        (("--csv", __file__), "--out"),
    ],
    ids=["no input count", "no model", "a word for a count", "PUE below 1", "unknown precision", "no output file"],
)
def test_estimate_names_the_option_that_is_wrong(arguments: tuple[str, ...], said: str, shell: Shell) -> None:
    """And needs no database to say so."""
    assert_refused(shell.run("estimate", *arguments), said)


def test_worker_with_a_bad_budgets_file_does_not_start(shell: Shell) -> None:
    """A mistake in the file is told before anything is consumed."""
    shell.run("migrate")
    path: Path = shell.directory / "budgets.yaml"
    assert_refused(shell.run("worker", RICE_BUDGETS_FILE=str(path)), "RICE_BUDGETS_FILE", "budgets.yaml")
    path.write_text("budgets: [{name: x}]")
    assert_refused(shell.run("worker", RICE_BUDGETS_FILE=str(path)), "budgets[0]")
    path.write_bytes(b"budgets: \xff")
    assert_refused(shell.run("worker", RICE_BUDGETS_FILE=str(path)), "budgets.yaml")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"g\xff,1,2,H100,1,1\n", "UTF-8"), (b"x" * 17_000_000 + b",1,2,H100,1,1\n", "field limit")],
    ids=["not text", "a cell without end"],
)
def test_a_table_that_is_none_is_refused_with_its_name(content: bytes, said: str, shell: Shell) -> None:
    """By `estimate` and `calibrate` alike, also where the answers cannot be written."""
    path = shell.directory / "table.csv"
    path.write_bytes(b"model,input_tokens,output_tokens,hardware,batch_size,gpu_j_per_request\n" + content)
    out = str(shell.directory / "out")
    assert_refused(shell.run("estimate", "--csv", str(path), "--out", out), "table.csv", said)
    assert_refused(shell.run("calibrate", str(path), "--out", out), "table.csv", said)
    path.write_bytes(b"model,input_tokens,output_tokens\ngpt-4o,1,1\n")
    nowhere = str(shell.directory / "nowhere" / "out.csv")
    assert_refused(shell.run("estimate", "--csv", str(path), "--out", nowhere), "--out", "cannot be written")


def test_version_is_printed(shell: Shell) -> None:
    """`rice-stream --version`."""
    from rice_stream import __version__

    assert __version__ in shell.run("--version").stdout
    assert isinstance(cli, click.Group)
