"""The worker as it runs in production: a process of its own, configured by RICE_* settings."""

import http.client
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from rice_stream.errors import RiceError
from rice_stream.kafka.client import open_admin
from rice_stream.kafka.config import KafkaConfig
from rice_stream.kafka.groups import is_stable
from rice_stream.sandbox.stack.ports import LOOPBACK, free_ports
from rice_stream.sandbox.stack.processes import ChildProcess, poll_until

# `-P`: no module of the current folder may stand in for one of ours.
_COMMAND = (sys.executable, "-P", "-c", "from rice_stream.cli import main; main()", "worker")

_START_DEADLINE_S = 60.0
_REQUEST_TIMEOUT_S = 5.0
# Above the worker's own deadline for storing what it has fetched.
_STOP_GRACE_S = 60.0


class WorkerProcess:
    """`rice-stream worker`, known to the guardian: it ends even when this process is killed."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        """Start it; its log lies in `directory`."""
        self.port = free_ports(1)[0]
        found_by = {name: os.environ[name] for name in ("PYTHONPATH", "VIRTUAL_ENV") if name in os.environ}
        settings = {**found_by, **environment, "RICE_WORKER_HTTP_PORT": str(self.port)}
        self._child = ChildProcess(
            "the worker",
            ["/usr/bin/env", *(f"{name}={value}" for name, value in settings.items()), *_COMMAND],
            log=directory / "worker.log",
        )

    @property
    def url(self) -> str:
        """The address of its health and its metrics."""
        return f"http://{LOOPBACK}:{self.port}"

    def wait_until_consuming(self, bootstrap_servers: str, group_id: str) -> None:
        """Wait until it says that it is ready and Kafka has given it its partitions.

        Raises:
            RiceError: it ended, or was not that far in time; with the end of its log.
        """
        admin = open_admin(KafkaConfig(bootstrap_servers), {"log_level": 0})

        def consumes() -> bool:
            return self._is_ready() and is_stable(admin, group_id, _REQUEST_TIMEOUT_S)

        if not poll_until(lambda: self._child.exit_code is not None or consumes(), _START_DEADLINE_S):
            raise RiceError(f"the worker was not ready after {_START_DEADLINE_S:g} s.{self._log_end()}")
        self.check()

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=1)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:  # nothing listens there yet
            return False
        finally:
            connection.close()

    def check(self) -> None:
        """RiceError, with the end of its log, when it has ended."""
        if self._child.exit_code is not None:
            raise RiceError(f"the worker ended with exit code {self._child.exit_code}.{self._log_end()}")

    def stop(self) -> int:
        """End it in good order: it stores and acknowledges what it has. Returns its exit code."""
        return self._child.stop(_STOP_GRACE_S)

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self._child.exit_code is None:
            self._child.kill()
        else:
            self._child.wait(0)

    def _log_end(self) -> str:
        return f" The end of its log:\n{self._child.log_tail()}"
