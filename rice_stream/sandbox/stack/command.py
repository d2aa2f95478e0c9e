"""One command in the foreground, with a local stack behind it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from rice_stream.errors import UsageError
from rice_stream.sandbox.stack.guard import GUARD
from rice_stream.sandbox.stack.stack import LocalStack

# What the caller's environment says of a broker's security would keep COMMAND from the local broker, which has none.
_BROKER_SECURITY = ("RICE_KAFKA_SECURITY", "RICE_KAFKA_SASL", "RICE_KAFKA_SSL")

_SIGNAL_EXIT_CODE = 128  # the shell's convention: 128 + the number of the signal


def run_command(stack: LocalStack, argv: Sequence[str], *, prepare: Callable[[LocalStack], None] | None = None) -> int:
    """Run a command with the stack's settings in its environment and wait for its end.

    SIGINT and SIGTERM are passed on to the command, whose end is then waited for. Call this from the main thread.

    Args:
        stack: a running stack.
        argv: the command and its arguments, as the shell would pass them.
        prepare: called with the stack before the command starts (to create the schema, say).

    Returns:
        The command's exit code, or 128 + n when signal n ended it.

    Raises:
        UsageError: there is no such command, or it cannot be run.
    """
    if prepare:
        prepare(stack)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(_BROKER_SECURITY)}
    shares_terminal = _is_in_foreground()
    with _passing_on_signals(pass_on_interrupt=not shares_terminal) as signals:
        try:
            command = subprocess.Popen(
                list(argv),
                env={**environment, **stack.environment()},
                # On a terminal it must stay in the foreground group, to read from the terminal and to get its Ctrl-C.
                process_group=None if shares_terminal else 0,
            )
        except OSError as error:
            raise UsageError(f"cannot run {argv[0]!r}: {error.strerror}; the command comes after `--`") from error
        GUARD.watch_process(command.pid, signal.SIGTERM)
        try:
            signals.go_to(command)
            exit_code = command.wait()
        finally:
            GUARD.forget_process(command.pid)
    return exit_code if exit_code >= 0 else _SIGNAL_EXIT_CODE - exit_code


def _is_in_foreground() -> bool:
    """Whether a Ctrl-C on the terminal reaches our process group, and with it the command."""
    return sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()


class _PassedOnSignals:
    """Signals of ours for a command: those that come before it runs are kept for it."""

    def __init__(self) -> None:
        self._command: subprocess.Popen[bytes] | None = None
        self._kept: list[int] = []

    def pass_on(self, number: int, _frame: FrameType | None = None) -> None:
        if self._command is None:
            self._kept.append(number)
        else:
            self._command.send_signal(number)

    def go_to(self, command: "subprocess.Popen[bytes]") -> None:
        self._command = command
        for number in self._kept:
            command.send_signal(number)


@contextmanager
def _passing_on_signals(*, pass_on_interrupt: bool) -> Iterator[_PassedOnSignals]:
    signals = _PassedOnSignals()

    def leave(_number: int, _frame: FrameType | None) -> None:
        """The command gets it from the terminal."""

    handlers = {signal.SIGINT: signals.pass_on if pass_on_interrupt else leave, signal.SIGTERM: signals.pass_on}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
