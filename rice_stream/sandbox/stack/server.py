"""What the local Kafka and the local PostgreSQL have in common: the life of a server that is one child process."""

import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.sandbox.stack.processes import ChildProcess, poll_until

# Far more than a start takes (3 s): on an overloaded machine slow is not broken, and a process that ends is seen at once.
START_DEADLINE_S = 120.0
STOP_GRACE_S = 10.0


class Server(ABC):
    """A server on its own data directory; address and data stay the same across restarts.

    Safe to stop or kill from another thread than the one that starts it: the start then fails.
    """

    name: str
    # What ends it in good order; and what ends it quickest when its data is not needed again.
    _stop_signal = signal.SIGTERM
    _discard_signal = signal.SIGTERM

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.log = self.data_dir / "server.log"
        self._lock = threading.Lock()
        self._child: ChildProcess | None = None
        self._abandoned = False

    @abstractmethod
    def _prepare(self) -> None:
        """Make the data directory ready for `_spawn_server`, on the first start and on later ones."""

    @abstractmethod
    def _spawn_server(self) -> ChildProcess:
        """Start the server's process."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server answers a real request now."""

    def _advice(self, log_tail: str) -> str:
        """What to do about a failed start, as a sentence with a blank behind it, where the log shows it."""
        return ""

    @property
    def pid(self) -> int:
        """The process id of the running server (PostgreSQL: of the postmaster)."""
        if self._child is None:
            raise UsageError(f"{self.name} in {self.data_dir} is not running: start it first")
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """Whether the server's process runs."""
        return self._child is not None and self._child.exit_code is None

    def start(self, deadline_s: float = START_DEADLINE_S) -> None:
        """Start the server and wait until it answers requests.

        Raises:
            ServiceUnavailableError: it did not; the message has the end of its log.
            UsageError: it runs already, or the directory or the machine does not allow it.
        """
        if self.is_running:
            raise UsageError(f"{self.name} in {self.data_dir} is already running: stop it first, or use restart()")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._prepare()
        child = self._spawn(self._spawn_server)
        try:
            answered = poll_until(lambda: child.exit_code is not None or self._answers(), deadline_s)
        except BaseException:  # Ctrl-C: `with` has not been entered, so nobody else would stop it
            self.kill()
            raise
        if answered and child.exit_code is None:
            return
        problem = f"did not answer within {deadline_s:g} seconds"
        if child.exit_code is not None:
            problem = f"ended with exit code {child.exit_code} while starting"
        self.kill()
        tail = child.log_tail()
        raise ServiceUnavailableError(
            f"{self.name} in {self.data_dir} {problem}. {self._advice(tail)}The end of its log:\n{tail}"
        )

    def _spawn(self, make: Callable[[], ChildProcess]) -> ChildProcess:
        with self._lock:
            if self._abandoned:
                raise ServiceUnavailableError(f"the start of {self.name} was given up")
            self._child = make()
            return self._child

    def stop(self, *, discard: bool = False) -> None:
        """Stop the server in good order, or kill it when that takes over 10 s. Nothing happens when it does not run.

        Args:
            discard: its data will not be needed again, so that writing it out can be left undone.
        """
        child, self._child = self._child, None
        if child is not None:
            child.stop(STOP_GRACE_S, self._discard_signal if discard else self._stop_signal)

    def kill(self) -> None:
        """SIGKILL the server with all its processes, as a crash would end it."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def restart(self) -> None:
        """Stop in good order and start again: same address, same data."""
        self.stop()
        self.start()

    def abandon(self) -> None:
        """Kill what runs, and let a start that is under way in another thread fail at once; there is no way back."""
        with self._lock:
            self._abandoned = True
        self.kill()

    def close(self, *, discard: bool = False) -> None:
        """Stop (as `stop` does), and remove what lies outside of the data directory."""
        self.stop(discard=discard)

    def __enter__(self) -> Self:
        """Start, unless it runs already."""
        if not self.is_running:
            self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.close()
