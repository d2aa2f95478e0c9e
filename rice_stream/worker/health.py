"""Serves /healthz, /readyz and /metrics from threads of its own, which answer when the event loop does not."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from wsgiref.simple_server import make_server

from prometheus_client import generate_latest

from rice_stream.errors import UsageError
from rice_stream.runtime.tracing import OFF, Tracing
from rice_stream.worker.health_connections import HealthRequestHandler, HealthWsgiServer
from rice_stream.worker.metrics import Metrics

log = logging.getLogger(__name__)

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PUBLIC = {
    "partition": "most of its latest records were refused, so it waits",
    "kafka": "unreachable",
    "store": "unreachable",
    "budgets": "not judged",
    "alerts": "not delivered",
    "clock": "wrong",
    "retention": "paused",
}
"""What anybody is told of a problem: errors name brokers, files and databases, which are nobody else's concern."""
_OTHERWISE = "not working"


class Showable(Protocol):
    """What is shown of a worker, or of several processes as if they were one."""

    def live(self) -> tuple[bool, dict[str, Any]]:
        """Whether it should go on running, and what says so."""

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether nothing has a problem now, and what has one."""

    def metrics_text(self) -> bytes:
        """Its metrics, as Prometheus reads them."""


@dataclass
class Heartbeat:
    """Liveness: what is waiting is committed within `timeout_s`, and the event loop responds.
    Readiness: it may be given work."""

    timeout_s: float
    clock: Callable[[], float] = time.monotonic
    _waiting_since: float | None = None
    _beat_at: float | None = None
    _problems: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def waiting(self) -> None:
        """Events have arrived that are not committed."""
        with self._lock:
            if self._waiting_since is None:
                self._waiting_since = self.clock()

    def advanced(self, *, still_waiting: bool) -> None:
        """A batch was committed."""
        with self._lock:
            self._waiting_since = self.clock() if still_waiting else None

    def caught_up(self) -> None:
        """The broker says that nothing waits for this worker."""
        with self._lock:
            self._waiting_since = None

    def beat(self) -> None:
        """The event loop responds: without it, nobody would notice that something waits."""
        with self._lock:
            self._beat_at = self.clock()

    def set_problem(self, what: str, problem: str | None) -> None:
        """Name or clear a reason not to be ready. It goes to the log, when it changes, and not to those who ask."""
        with self._lock:
            before = self._problems.pop(what, None)
            if problem is not None:
                self._problems[what] = problem
        if problem is not None and problem != before:
            log.warning("not ready: %s: %s", what, problem)
        elif problem is None and before is not None:
            log.info("ready again: %s", what)

    def live(self) -> tuple[bool, dict[str, Any]]:
        """Whether the process should go on running, and the seconds that say so."""
        with self._lock:
            now = self.clock()
            waited_s = 0.0 if self._waiting_since is None else now - self._waiting_since
            silent_s = 0.0 if self._beat_at is None else now - self._beat_at
        details = {"uncommitted_for_s": round(waited_s, 3), "silent_for_s": round(silent_s, 3)}
        return max(waited_s, silent_s) <= self.timeout_s, {**details, "limit_s": self.timeout_s}

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether no part has a problem now, and which parts have one; what exactly, only the log says."""
        with self._lock:
            said = {
                what: f"{_PUBLIC.get(what.partition(' ')[0], _OTHERWISE)}; the log says more" for what in self._problems
            }
        return not said, {"problems": said}


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What a worker shows of itself; every part of it reports here."""

    metrics: Metrics
    heartbeat: Heartbeat
    tracing: Tracing = OFF

    def live(self) -> tuple[bool, dict[str, Any]]:
        """Whether the process should go on running, and the seconds that say so."""
        return self.heartbeat.live()

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether no part has a problem now, and which parts have one."""
        return self.heartbeat.ready()

    def metrics_text(self) -> bytes:
        """All metrics of this process."""
        self.metrics.memory.set(resident_memory_bytes())
        return generate_latest(self.metrics.registry)


@contextmanager
def served_over_http(host: str, port: int, shown: Showable) -> Iterator[None]:
    """Shows it at an address, which the log says. UsageError: nothing can listen there."""
    server = HealthServer(host, port, shown)
    log.info("worker starts: health and metrics at http://%s:%d", host, server.port)
    try:
        yield
    finally:
        server.close()


class HealthServer:
    """Serves until `close`. Port 0 takes any free port; `port` tells which."""

    def __init__(self, host: str, port: int, shown: Showable) -> None:
        self._shown = shown
        try:
            self._server = make_server(host, port, self._answer, HealthWsgiServer, HealthRequestHandler)
        except OSError as error:
            raise UsageError(
                f"RICE_WORKER_HTTP_PORT: cannot listen on {host}:{port} ({error.strerror}); give each worker on a"
                " machine its own port, or 0 for any free one"
            ) from error
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="rice-health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            text = self._shown.metrics_text()
            start_response("200 OK", [("Content-Type", _CONTENT_TYPE)])
            return [text]
        if path in {"/healthz", "/readyz"}:
            good, details = self._shown.live() if path == "/healthz" else self._shown.ready()
            body = json.dumps({"ok": good, **details}).encode()
            start_response("200 OK" if good else "503 Service Unavailable", [("Content-Type", "application/json")])
            return [body]
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"rice_stream worker: /healthz /readyz /metrics\n"]


def resident_memory_bytes() -> int:
    """Resident memory of this process; 0 where /proc does not tell."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:")), 0)
