"""However the process that holds a local stack ends, no process, port or temporary file is left."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from rice_stream.sandbox.stack import guard_process
from rice_stream.sandbox.stack.guard_process import is_alive
from rice_stream.sandbox.stack.ports import accepts_connections
from tests.support.cases import some
from tests.support.waiting import wait_until

pytestmark = pytest.mark.services

# Opens a whole stack, says what belongs to it, and waits for a signal.
STACK_SCRIPT = """
import json, psutil, select
from rice_stream.sandbox.stack.stack import local_stack
with local_stack(topics=["t"]) as stack:
    port = int(stack.bootstrap_servers.rpartition(":")[2])
    pids = [child.pid for child in psutil.Process().children(recursive=True)]
    print(json.dumps({"pids": pids, "port": port}), flush=True)
    while True:  # a pause without an end would miss a signal that comes just before it
        select.select([], [], [], 0.2)
"""

# The same with PostgreSQL alone, which starts in a second.
POSTGRES_SCRIPT = """
import json, psutil, select
from pathlib import Path
from rice_stream.sandbox.stack.postgres import PostgresServer
from rice_stream.sandbox.stack.guard import temporary_directory
with PostgresServer(temporary_directory("rice-pg-")) as postgres:
    pids = [child.pid for child in psutil.Process().children(recursive=True)]
    print(json.dumps({"pids": pids, "port": None}), flush=True)
    while True:  # a pause without an end would miss a signal that comes just before it
        select.select([], [], [], 0.2)
"""


@contextmanager
def running(script: str, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a Python script whose temporary files lie in `temporary`."""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_report(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Read the line in which a script says what belongs to it."""
    assert process.stdout is not None
    report: dict[str, Any] = json.loads(process.stdout.readline())
    return report


def living(pids: list[int]) -> list[psutil.Process]:
    """Those of a holder's family that still run: PostgreSQL's short helpers may have ended since they were listed."""
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    return found


def split(family: list[psutil.Process]) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """Split a holder's family into its guardian and its servers."""

    def is_guardian(process: psutil.Process) -> bool:
        try:
            return guard_process.__file__ in process.cmdline()
        except psutil.NoSuchProcess:  # a helper that has ended meanwhile
            return False

    guardian = [process for process in family if is_guardian(process)]
    return guardian, [process for process in family if process not in guardian]


def assert_nothing_is_left(guardian: list[psutil.Process], servers: list[psutil.Process], temporary: Path) -> None:
    """The servers have ended before their files were deleted, and the guardian ends after that."""
    wait_until(lambda: not list(temporary.iterdir()), 30, "the deletion of the temporary files")
    # Not waited for: a server whose files are gone might end by itself, some time.
    assert [process for process in servers if is_alive(process)] == []
    wait_until(lambda: not any(is_alive(process) for process in guardian), 10, "the end of the guardian")


@pytest.fixture
def temporary(shared_directory: Path) -> Path:
    """An empty directory for a script's temporary files; short, because Unix sockets lie in it."""
    return Path(tempfile.mkdtemp(dir=shared_directory, prefix="t")).resolve()


@pytest.mark.parametrize(
    ("script", "end"),
    some(
        "ends of a holder",
        [
            pytest.param(STACK_SCRIPT, signal.SIGKILL, id="stack-killed"),
            pytest.param(STACK_SCRIPT, signal.SIGINT, id="stack-interrupted"),
            pytest.param(POSTGRES_SCRIPT, signal.SIGTERM, id="postgres-terminated"),
        ],
        2,
    ),
)
def test_nothing_outlives_the_holder(script: str, end: signal.Signals, temporary: Path) -> None:
    """After kill -9, Ctrl-C or SIGTERM of the holder its java, postgres, backends and guardian end; files vanish."""
    temporary.chmod(0o755)  # PostgreSQL's account must enter it when root runs the tests
    with running(script, temporary) as holder:
        report = read_report(holder)
        guardian, servers = split(living(report["pids"]))
        assert len(guardian) == 1
        assert len(servers) >= 2  # postgres and its own processes, and in a stack also java
        assert list(temporary.iterdir())
        holder.send_signal(end)
        holder.wait(30)
        assert_nothing_is_left(guardian, servers, temporary)
        assert report["port"] is None or not accepts_connections(report["port"])


@pytest.mark.parametrize("program", some("starting programs", ["java", "initdb"], 1))
def test_nothing_outlives_a_holder_killed_while_starting(program: str, temporary: Path) -> None:
    """kill -9 in the middle of the start, while storage is being formatted, leaves nothing either."""
    temporary.chmod(0o755)
    with running(STACK_SCRIPT, temporary) as holder:
        process = psutil.Process(holder.pid)

        def started() -> bool:
            return any(child.name() == program for child in process.children(recursive=True) if is_alive(child))

        wait_until(started, 60, f"the start of {program}")
        guardian, servers = split(process.children(recursive=True))
        holder.kill()
        holder.wait(30)
        assert_nothing_is_left(guardian, servers, temporary)
