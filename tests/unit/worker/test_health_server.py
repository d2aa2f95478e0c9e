"""The health server answers whatever other connections do, and keeps a bounded number of them."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from rice_stream.worker import health_connections
from rice_stream.worker.health import HealthServer, Heartbeat, Telemetry
from rice_stream.worker.health_connections import CONNECTIONS_MAX
from rice_stream.worker.metrics import Metrics


@pytest.fixture
def server() -> Iterator[HealthServer]:
    started = HealthServer("127.0.0.1", 0, Telemetry(Metrics(), Heartbeat(timeout_s=60)))
    yield started
    started.close()


def asked(server: HealthServer, path: str) -> tuple[int, bytes, float]:
    """(status, body, seconds it took) of a request on a connection of its own."""
    since_s = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(), time.monotonic() - since_s


@contextlib.contextmanager
def connected(server: HealthServer, number: int, says: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many open connections whose peers say this much of a request, and then nothing."""
    with contextlib.ExitStack() as stack:
        sockets = []
        for _ in range(number):
            sockets.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10)))
            sockets[-1].sendall(says)
        yield sockets


@pytest.mark.parametrize("says", [b"", b"GET /hea", b"GET /healthz HTTP/1.1\r\nX-Slow: "])
def test_200_silent_connections_do_not_delay_an_answer(server: HealthServer, says: bytes) -> None:
    """Whether their peers say nothing at all or stop within the request."""
    with connected(server, 200, says):
        for path in ("/healthz", "/readyz", "/metrics"):
            status, body, took_s = asked(server, path)
            assert (status, took_s < 1.0) == (200, True), (path, took_s)
            assert body
        assert json.loads(asked(server, "/healthz")[1])["ok"] is True


def test_the_number_of_connections_is_bounded_and_the_oldest_make_room(server: HealthServer) -> None:
    """Twice as many as there may be: the first half is closed, threads stay bounded, the newest is answered."""
    with connected(server, 2 * CONNECTIONS_MAX) as sockets:
        assert asked(server, "/healthz")[0] == 200
        assert all(one.recv(1) == b"" for one in sockets[:CONNECTIONS_MAX]), "closed by the server"
        answering = [thread for thread in threading.enumerate() if "process_request_thread" in thread.name]
        for thread in answering[:-CONNECTIONS_MAX]:
            thread.join(10)
        assert sum(thread.is_alive() for thread in answering) <= CONNECTIONS_MAX


def test_a_silent_connection_is_closed_in_time(server: HealthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `SILENCE_MAX_S` without a request; nothing is written for it."""
    monkeypatch.setattr(health_connections.HealthRequestHandler, "timeout", 0.1)
    with connected(server, 1) as [silent]:
        assert silent.recv(1) == b""


def test_connections_that_break_off_leave_no_trace_on_the_terminal(
    server: HealthServer, capfd: pytest.CaptureFixture[str]
) -> None:
    """A port scanner's reset is no error of the worker."""
    with connected(server, 20, b"GET") as sockets:
        for one in sockets:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            one.close()
    assert asked(server, "/healthz")[0] == 200
    assert capfd.readouterr().err == ""
