"""The HTTP client against a real server on loopback: bounded in time, size and tries; a token stays with its host."""

import asyncio
import gzip
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from rice_stream.feeds.client import HttpClient, HttpLimits, NoReplyError, Reply
from tests.support.http_server import Answer, WebServer

QUICK = HttpLimits(timeout_s=2.0, pause_s=0.001)


def get(url: str, limits: HttpLimits = QUICK, **headers: str) -> Reply:
    """One GET with a client of its own."""

    async def work() -> Reply:
        async with HttpClient(limits) as http:
            return await http.get(url, headers)

    return asyncio.run(work())


def test_status_and_body_come_back_and_headers_go_out(server: WebServer) -> None:
    server.answer(404, b"gone")
    assert get(f"{server.url}/path?a=b%20c", token="secret") == Reply(404, b"gone")
    [(path, headers)] = server.requests
    assert (path, headers["token"]) == ("/path?a=b%20c", "secret")


def test_a_server_error_is_tried_again(server: WebServer) -> None:
    server.answers = [Answer(503, b"", {}), Answer(500, b"", {}), Answer(200, b"yes", {})]
    assert get(server.url) == Reply(200, b"yes")
    assert len(server.requests) == 3


def test_tries_have_an_end_and_the_last_answer_comes_back(server: WebServer) -> None:
    server.answer(503, b"later")
    assert get(server.url) == Reply(503, b"later")
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 429])
def test_what_the_caller_did_wrong_is_not_repeated(server: WebServer, status: int) -> None:
    """Asking again would only be asked too often."""
    server.answer(status)
    assert get(server.url).status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: WebServer, status: int) -> None:
    """It would hand the token to another host, or to another path that nobody named."""
    server.answer(status, Location=f"{server.url}/elsewhere")
    assert get(f"{server.url}/here", token="secret").status == status
    assert [path for path, _ in server.requests] == ["/here"]


def test_a_reply_has_a_largest_size(server: WebServer) -> None:
    """Whatever it says of itself; one that is compressed counts as it is read."""
    limits = HttpLimits(reply_max_bytes=1_000, pause_s=0.001)
    server.answer(body=b"x" * 1_000)
    assert len(get(server.url, limits).body) == 1_000
    for body, headers in ((b"x" * 1_001, {}), (gzip.compress(b"x" * 1_000_000), {"Content-Encoding": "gzip"})):
        server.answers = [Answer(200, body, headers)]
        with pytest.raises(NoReplyError, match="larger than 1000 bytes"):
            get(server.url, limits)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_no_answer_is_waited_for_longer_than_the_limit(silent: str) -> None:
    """All tries together take about as long as one may."""
    started_s = time.monotonic()
    with pytest.raises(NoReplyError, match=r"127.0.0.1:\d+ could not be reached within 0.3 s"):
        get(silent, HttpLimits(timeout_s=0.3, pause_s=0.001))
    assert time.monotonic() - started_s < 2


def test_a_connection_that_is_refused_is_tried_again_and_named() -> None:
    with pytest.raises(NoReplyError, match=r"127.0.0.1:1 could not be reached within 2 s"):
        get("http://127.0.0.1:1")


def test_a_connection_that_breaks_off_is_tried_again() -> None:
    """The server closes without an answer, then answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert get(f"http://127.0.0.1:{listener.getsockname()[1]}") == Reply(200, b"ok")
        thread.join(5)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "host/x"])
def test_only_web_addresses_are_asked(url: str) -> None:
    with pytest.raises(NoReplyError, match="must begin with https"):
        get(url)
