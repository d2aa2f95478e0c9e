"""`rice-stream local -- COMMAND`: the command sees the stack, gets the signals, and its exit code is the answer."""

import json
import sys
from pathlib import Path

import pytest

from rice_stream.errors import UsageError
from rice_stream.sandbox.stack.command import run_command
from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.sandbox.stack.stack import LocalStack
from tests.support.databases import Databases

pytestmark = pytest.mark.services

SHELL = "/bin/sh"


@pytest.fixture
def stack(kafka: KafkaServer, sqlite: Databases, tmp_path: Path) -> LocalStack:
    """The session's Kafka with a database file, as a stack."""
    return LocalStack(kafka, None, sqlite.empty(), tmp_path)


@pytest.mark.parametrize(
    ("script", "exit_code"),
    [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 128 + 9), ("kill -TERM $$", 128 + 15)],
)
def test_the_exit_code_is_the_commands(stack: LocalStack, script: str, exit_code: int) -> None:
    """As a shell would say it: the code itself, or 128 + n for signal n."""
    assert run_command(stack, [SHELL, "-c", script]) == exit_code


# Sends its parent, which is the test, a signal and waits for the same.
SIGNALLING = """
import os, signal, sys
number = signal.Signals[sys.argv[1]]
signal.pthread_sigmask(signal.SIG_BLOCK, {number})
os.kill(os.getppid(), number)
signal.sigwait({number})
sys.exit(7)
"""


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM"])
def test_signals_are_passed_on_and_the_commands_own_end_is_awaited(stack: LocalStack, signal_name: str) -> None:
    """A signal to us reaches the command, which may still finish its work: its exit code counts, not the signal."""
    assert run_command(stack, [sys.executable, "-c", SIGNALLING, signal_name]) == 7


def test_the_command_sees_the_stack_and_no_foreign_broker_security(
    stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RICE_* point at the stack; security settings of another broker are gone; the rest of the environment stays."""
    monkeypatch.setenv("RICE_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("RICE_KAFKA_BOOTSTRAP_SERVERS", "production:9092")
    monkeypatch.setenv("RICE_METHOD", "rice-paper")
    seen = tmp_path / "seen.json"
    script = f"import json, os, pathlib; pathlib.Path({str(seen)!r}).write_text(json.dumps(dict(os.environ)))"
    prepared: list[LocalStack] = []
    assert run_command(stack, [sys.executable, "-c", script], prepare=prepared.append) == 0
    environment = json.loads(seen.read_text())
    assert environment["RICE_KAFKA_BOOTSTRAP_SERVERS"] == stack.bootstrap_servers
    assert environment["RICE_DATABASE_URL"] == stack.database_url
    assert environment["RICE_METHOD"] == "rice-paper"
    assert "RICE_KAFKA_SECURITY_PROTOCOL" not in environment
    assert prepared == [stack]


def test_an_unknown_command_is_a_usage_error(stack: LocalStack) -> None:
    """A typo is named, not traced."""
    with pytest.raises(UsageError, match="no-such-program"):
        run_command(stack, ["no-such-program"])
