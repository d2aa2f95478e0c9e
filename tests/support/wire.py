"""An application behind the real server on loopback, and requests to it byte for byte: nothing is tidied up on the way."""

import http.client
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from rice_stream.api.server import server_config
from tests.support.asgi import Answer
from tests.support.waiting import wait_until

_PATIENCE_S = 60.0
NO_ANSWER = Answer(0, {}, b"")
"""The server has closed the connection without a word."""


@contextmanager
def served_on_loopback(app: FastAPI) -> Iterator[int]:
    """The port, until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    server = uvicorn.Server(server_config(app))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    wait_until(lambda: server.started, 30, "the server to start")
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


def exchange(
    port: int, method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]] = (), body: bytes = b""
) -> Answer:
    """The answer to one request; `headers` as they are, with `host` and `content-length` where they are not among them."""
    given = list(headers)
    names = {name.lower() for name, _ in given}
    if b"host" not in names:
        given.insert(0, (b"host", b"127.0.0.1:%d" % port))
    if b"content-length" not in names and b"transfer-encoding" not in names:
        given.append((b"content-length", b"%d" % len(body)))
    given.append((b"connection", b"close"))
    head = b"".join(b"%b: %b\r\n" % pair for pair in given)
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) as connection:
        try:
            connection.sendall(b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method.encode(), target, head, body))
            return _read(connection, method)
        except ConnectionError:
            return NO_ANSWER


def _read(connection: socket.socket, method: str) -> Answer:
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
        content = response.read()
    except http.client.RemoteDisconnected:
        return NO_ANSWER
    answered: dict[str, str] = {}
    for name, value in response.getheaders():
        before = answered.get(key := name.lower())
        answered[key] = value if before is None else f"{before}\n{value}"
    return Answer(response.status, answered, content)
