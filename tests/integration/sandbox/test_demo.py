"""`rice-stream demo` as a user runs it: real Kafka, real database, the worker as a process; and nothing left behind."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from rice_stream.sandbox.stack.guard_process import is_alive
from tests.support.cases import DRILL
from tests.support.waiting import wait_until

pytestmark = pytest.mark.services

COMMAND = [sys.executable, "-c", "from rice_stream.cli import main; main()", "demo"]
FIELDS = ["events", "records", "duplicates", "quarantined", "alerts", "tenants", "carbon_gco2e", "verify"]

# Generous: a machine that runs other things as well is slow, not broken.
START_DEADLINE_S = 180
END_DEADLINE_S = 120


@pytest.fixture
def temporary(shared_directory: Path) -> Path:
    """An empty directory for the demo's temporary files, which PostgreSQL's account may enter."""
    directory = Path(tempfile.mkdtemp(dir=shared_directory, prefix="t")).resolve()
    directory.chmod(0o755)
    return directory


class Demo:
    """A demo that runs; `family` is all that it had started when traffic flowed."""

    def __init__(self, process: "subprocess.Popen[bytes]", said: Path) -> None:
        self.process = process
        self.family: list[psutil.Process] = []
        self._said = said

    def said(self) -> str:
        return self._said.read_text("utf-8")

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.said() or self.process.poll() is not None, START_DEADLINE_S, text)
        assert text in self.said()
        self.family = psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def running(temporary: Path, *arguments: str) -> Iterator[Demo]:
    """A demo without a terminal; what it says on stderr goes to a file beside its temporary directory."""
    said = temporary.parent / "stderr"
    with said.open("wb") as stderr:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment(temporary),
            start_new_session=True,
        )
    with process:
        try:
            yield Demo(process, said)
        finally:
            process.kill()


def environment(temporary: Path) -> dict[str, str]:
    """A user's environment, without settings of rice-stream."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RICE_")}
    return {**kept, "TMPDIR": str(temporary), "TERM": "xterm-256color"}


def assert_nothing_is_left(demo: Demo, temporary: Path) -> None:
    """No process (Kafka, PostgreSQL with its backends, the worker, the guardian) and no file."""
    assert len(demo.family) >= 3
    wait_until(lambda: not any(is_alive(process) for process in demo.family), 30, "the end of all processes")
    assert list(temporary.iterdir()) == []


def assert_good(document: dict[str, Any]) -> None:
    """The closing document of a demo in which all held."""
    assert list(document) == FIELDS
    assert document["verify"] == "ok"
    assert document["events"] == document["records"] + document["duplicates"] + document["quarantined"]
    assert 0 < document["carbon_gco2e"]["low"] < document["carbon_gco2e"]["mid"] < document["carbon_gco2e"]["high"]
    assert document["alerts"] >= 1


def assert_dashboard_opens(demo: Demo) -> None:
    """The link that it prints signs in and leads to the overview, once."""
    link = re.search(r"http://\S+/auth/link\?key=\S+", demo.said())
    assert link is not None
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(link[0], timeout=30) as answer:
        page = answer.read().decode()
    assert "Overview" in page
    with pytest.raises(urllib.error.HTTPError, match="403"):
        opener.open(link[0], timeout=30)


# On SQLite the tests below come to the same document; the drill looks at all of it there, too.
@pytest.mark.parametrize("store", ["postgres", "sqlite"] if DRILL else ["postgres"])
def test_a_demo_of_eight_seconds_holds_all_of_it(store: str, temporary: Path) -> None:
    """Traffic, records, totals, alerts on Kafka, verify; the last line says so; exit code 0; nothing left."""
    with running(temporary, "--store", store, "--seconds", "8") as demo:
        demo.wait_for(" live: ")
        assert (next(temporary.glob("rice-stack-*")) / "demo.env").read_text("utf-8").count("export RICE_") >= 4
        assert_dashboard_opens(demo)
        out, _ = demo.process.communicate(timeout=END_DEADLINE_S)
        assert demo.process.returncode == 0, demo.said() + out.decode()
        document = json.loads(out.decode().splitlines()[-1])
        assert_good(document)
        # 300 events a second on average; bursts by tenant leave the sum.
        assert 1_800 < document["events"] < 3_000
        assert document["tenants"] == 12
        assert document["duplicates"] > 0
        assert document["alerts"] >= 4
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", demo.said())
        assert demo.said().count("demo: alert:") == document["alerts"]
        assert_nothing_is_left(demo, temporary)


def test_kill_9_of_the_demo_leaves_nothing(temporary: Path) -> None:
    """In the middle of the traffic: no code of ours can run any more, and yet everything ends."""
    with running(temporary, "--store", "postgres") as demo:
        demo.wait_for(" live: ")
        demo.process.kill()
        demo.process.wait(30)
        wait_until(lambda: not list(temporary.iterdir()), 60, "the deletion of the temporary files")
        assert_nothing_is_left(demo, temporary)


def test_a_worker_that_dies_ends_the_demo_with_its_log(temporary: Path) -> None:
    """Exit code 1, and what the worker said last; nothing left."""
    with running(temporary, "--store", "sqlite") as demo:
        demo.wait_for(" live: ")
        (worker,) = [process for process in demo.family if process.cmdline()[-1:] == ["worker"]]
        worker.kill()
        out, _ = demo.process.communicate(timeout=END_DEADLINE_S)
        assert demo.process.returncode == 1
        assert out == b""
        assert "rice-stream: the worker ended with exit code -9. The end of its log:\n" in demo.said()
        assert "worker starts" in demo.said()
        assert "Traceback" not in demo.said()
        assert_nothing_is_left(demo, temporary)


class Terminal:
    """A terminal of 100 x 30 with a demo on it; `shown` is everything that was written to it."""

    def __init__(self, temporary: Path, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(temporary),
            start_new_session=True,
        )
        os.close(slave)
        self._bytes = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def shown(self) -> str:
        return bytes(self._bytes).decode(errors="replace")

    def _read(self) -> None:
        with suppress(OSError):  # the last process has closed its end
            while data := os.read(self._master, 65536):
                self._bytes += data

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(30)
        os.close(self._master)


def test_the_live_lines_and_ctrl_c(temporary: Path) -> None:
    """On a terminal it says where the dashboard is, and what has come; Ctrl-C ends it in good order, with the same last line."""
    terminal = Terminal(temporary, "--store", "sqlite")
    try:
        wait_until(lambda: re.search(r"\d\d:\d\d:\d\d.{1,20}warning", terminal.shown), START_DEADLINE_S, "an alert")
        demo = Demo(terminal.process, temporary)
        demo.family = psutil.Process(terminal.process.pid).children(recursive=True)
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.process.wait(END_DEADLINE_S) == 0
        wait_until(lambda: terminal.shown.rstrip().endswith("}"), 10, "the last line")
        shown = terminal.shown
    finally:
        terminal.close()
    for part in ("dashboard", "/auth/link?key=", "prompts", "totals --by team"):
        assert part in shown
    after = shown[shown.rindex("\x1b[?25h") :]
    assert "verify: every total equals the recount of its records" in after
    assert_good(json.loads(after.splitlines()[-1]))
    assert_nothing_is_left(demo, temporary)
