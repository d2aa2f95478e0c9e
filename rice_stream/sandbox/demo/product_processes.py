"""The worker and the server as they run in production: processes of their own, configured by RICE_* settings."""

import http.client
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from rice_stream.errors import RiceError
from rice_stream.kafka.client import open_admin
from rice_stream.kafka.config import KafkaConfig
from rice_stream.kafka.groups import is_stable
from rice_stream.sandbox.stack.ports import LOOPBACK, free_ports
from rice_stream.sandbox.stack.processes import ChildProcess, poll_until

# `-P`: no module of the current folder may stand in for one of ours.
_COMMAND = (sys.executable, "-P", "-c", "from rice_stream.cli import main; main()")

_START_DEADLINE_S = 60.0
_REQUEST_TIMEOUT_S = 5.0
# Above the worker's own deadline for storing what it has fetched.
_STOP_GRACE_S = 60.0
_SIGN_IN_LINK = re.compile(r"http://\S+/auth/link\?key=\S+")


class ProductProcess:
    """A command of ours that serves HTTP, known to the guardian: it ends even when this process is killed."""

    def __init__(self, command: str, port_setting: str, environment: Mapping[str, str], directory: Path) -> None:
        """Start it; its log lies in `directory`. `port_setting` is what tells it where to serve."""
        self.name = f"the {command}"
        self.port = free_ports(1)[0]
        self._log = directory / f"{command}.log"
        found_by = {name: os.environ[name] for name in ("PYTHONPATH", "VIRTUAL_ENV") if name in os.environ}
        settings = {**found_by, **environment, port_setting: str(self.port)}
        given = (f"{name}={value}" for name, value in settings.items())
        self._child = ChildProcess(self.name, ["/usr/bin/env", *given, *_COMMAND, command], log=self._log)

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://{LOOPBACK}:{self.port}"

    def _wait_until(self, ready: str, path: str, *, also: Callable[[], bool] | None = None) -> None:
        """Wait until it answers 200 at a path. RiceError: it ended, or was not that far in time; with the end of its log."""

        def done() -> bool:
            return self._child.exit_code is not None or (self._answers(path) and (also is None or also()))

        if not poll_until(done, _START_DEADLINE_S):
            raise RiceError(f"{self.name} was not {ready} after {_START_DEADLINE_S:g} s.{self._log_end()}")
        self.check()

    def _answers(self, path: str) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=1)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:  # nothing listens there yet
            return False
        finally:
            connection.close()

    def check(self) -> None:
        """RiceError, with the end of its log, when it has ended."""
        if self._child.exit_code is not None:
            raise RiceError(f"{self.name} ended with exit code {self._child.exit_code}.{self._log_end()}")

    def stop(self) -> int:
        """End it in good order. Returns its exit code."""
        return self._child.stop(_STOP_GRACE_S)

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self._child.exit_code is None:
            self._child.kill()
        else:
            self._child.wait(0)

    def _log_end(self) -> str:
        return f" The end of its log:\n{self._child.log_tail()}"


class WorkerProcess(ProductProcess):
    """`rice-stream worker`; stopped, it stores and acknowledges what it has."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        super().__init__("worker", "RICE_WORKER_HTTP_PORT", environment, directory)

    def wait_until_consuming(self, bootstrap_servers: str, group_id: str) -> None:
        """Wait until it says that it is ready and Kafka has given it its partitions. RiceError: not in time."""
        admin = open_admin(KafkaConfig(bootstrap_servers), {"log_level": 0})
        self._wait_until("ready", "/readyz", also=lambda: is_stable(admin, group_id, _REQUEST_TIMEOUT_S))


class ServerProcess(ProductProcess):
    """`rice-stream serve`: API and dashboard on loopback."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        super().__init__("serve", "RICE_HTTP_PORT", environment, directory)
        self.name = "the server"

    def wait_until_serving(self) -> str:
        """Wait until it answers; returns the link that signs a browser in, once. RiceError: not in time."""
        self._wait_until("ready", "/readyz", also=lambda: self._link() is not None)
        link = self._link()
        if link is None:
            raise AssertionError("it was there a moment ago")
        return link

    def _link(self) -> str | None:
        """What it printed at its start: for whoever looks at the demo, and in no other log than this throw-away one."""
        found = _SIGN_IN_LINK.search(self._log.read_text("utf-8", errors="replace"))
        return found[0] if found else None
