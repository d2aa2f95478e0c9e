"""Child processes of a local stack, and waiting for them.

Every child runs in a session of its own (a Ctrl-C on the terminal reaches only this process, which then stops its
children in order) and is known to the guardian before it runs its program.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import psutil

from rice_stream.errors import ServiceUnavailableError
from rice_stream.sandbox.stack.guard import GUARD
from rice_stream.sandbox.stack.guard_process import is_alive

POLL_S = 0.02
LOG_TAIL_LINES = 25

# The child waits for a line before it becomes its program, so that the guardian hears of it first. When this process
# dies before that, `read` meets the end of the file and the child ends. `exec` keeps the pid.
_GATE = ("/bin/sh", "-c", 'read -r go && exec "$@"')

# What children get of our environment. Not more: JAVA_TOOL_OPTIONS, CLASSPATH, PGDATA, LC_ALL and their kind would
# make the stack behave differently from machine to machine.
_ENVIRONMENT_KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

T = TypeVar("T")


class Account(NamedTuple):
    """A user of the operating system, as whom a child runs."""

    name: str
    uid: int
    gid: int


def poll_until(condition: Callable[[], T], deadline_s: float) -> T:
    """Ask `condition` every 20 ms until its answer is true or `deadline_s` seconds have passed; return the answer."""
    give_up_s = time.monotonic() + deadline_s
    while not (answer := condition()) and time.monotonic() < give_up_s:
        time.sleep(POLL_S)
    return answer


class ChildProcess:
    """One running program whose output goes to a log file."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        stop_signal: signal.Signals = signal.SIGTERM,
        account: Account | None = None,
    ) -> None:
        """Start `argv`; `stop_signal` is what ends it in good order, `account` (only as root) as whom it runs."""
        self.name = name
        self.log = log
        self._stop_signal = stop_signal
        kept = {key: os.environ[key] for key in _ENVIRONMENT_KEPT if key in os.environ}
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [*_GATE, name, *map(str, argv)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**kept, "LANG": "C", "TZ": "UTC"},
                cwd="/",
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        GUARD.watch_process(self._popen.pid, stop_signal)
        if self._popen.stdin is not None:
            # A child killed this early is found by whoever waits for it.
            with suppress(BrokenPipeError):
                self._popen.stdin.write(b"\n")
                self._popen.stdin.close()

    @property
    def pid(self) -> int:
        """The process id, also after the end."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code (negative: minus the signal that ended it), or None while it runs."""
        return self._popen.poll()

    def wait(self, deadline_s: float) -> int:
        """Wait for the child's own end and return its exit code; kill it at the deadline."""
        try:
            return self._popen.wait(deadline_s)
        except subprocess.TimeoutExpired:
            return self.kill()
        finally:
            GUARD.forget_process(self.pid)

    def stop(self, grace_s: float, stop_signal: signal.Signals | None = None) -> int:
        """End the child in good order, or kill it when `grace_s` seconds did not suffice; return its exit code."""
        self._popen.send_signal(stop_signal or self._stop_signal)
        return self.wait(grace_s)

    def kill(self) -> int:
        """SIGKILL the child and all that descends from it, wait until none of them runs; return the exit code."""
        family = self._family()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._popen.kill()
        exit_code = self._popen.wait()
        poll_until(lambda: not any(is_alive(process) for process in family), deadline_s=10)
        GUARD.forget_process(self.pid)
        return exit_code

    def _family(self) -> list[psutil.Process]:
        try:
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def log_tail(self) -> str:
        """The last lines of the log, indented, for an error message."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join(f"    {line}" for line in lines) or "    (empty)"


def run_to_end(child: ChildProcess, deadline_s: float) -> None:
    """Wait until a helper program has done its work.

    Raises:
        ServiceUnavailableError: it failed or took longer than `deadline_s` seconds; with the end of its log.
    """
    exit_code = child.wait(deadline_s)
    if exit_code != 0:
        raise ServiceUnavailableError(
            f"{child.name} failed with exit code {exit_code}. The end of its log:\n{child.log_tail()}"
        )
