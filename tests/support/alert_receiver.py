"""A receiver of alerts on loopback: answers as a test says, or fails to in one of the ways that receivers have."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, NamedTuple

Manner = Literal["whole", "cut", "silent", "closed", "noise", "trickle"]
"""How it answers: whole; the body ends before its time; never; it closes without an answer; not in HTTP; the body never ends."""


class Received(NamedTuple):
    """A request that came."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


class Reply(NamedTuple):
    """What it is answered."""

    status: int = 200
    body: bytes = b"ok"
    headers: tuple[tuple[str, str], ...] = ()
    manner: Manner = "whole"


@dataclass
class AlertReceiver:
    """`respond` makes the answer to each request; `requests` are those that came, in order."""

    url: str
    port: int
    respond: Callable[[Received], Reply] = lambda _: Reply()
    requests: list[Received] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    def answers(self, *replies: Reply) -> None:
        """From now on these in turn, the last one for ever."""
        left = list(replies)
        self.respond = lambda _: left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def alert_receiver(tls: ssl.SSLContext | None = None) -> Iterator[AlertReceiver]:
    """Receives until the block ends; `tls`: the certificate that it has."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Received(self.path, headers, self.rfile.read(length))
            receiver.requests.append(request)
            reply = receiver.respond(request)
            self.close_connection = True
            with suppress(OSError):  # whoever asked may be gone by now
                self._answer(reply)

        def _answer(self, reply: Reply) -> None:
            if reply.manner == "closed":
                return
            if reply.manner == "silent":
                receiver.ending.wait()
                return
            if reply.manner == "noise":
                self.wfile.write(b"220 mail.example ESMTP\r\n")
                return
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            more = 0 if reply.manner == "whole" else 1000
            self.send_header("Content-Length", str(len(reply.body) + more))
            self.end_headers()
            self.wfile.write(reply.body)
            if reply.manner == "trickle":
                receiver.ending.wait()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = _Server(("127.0.0.1", 0), Handler)
    scheme = "http" if tls is None else "https"
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver = AlertReceiver(f"{scheme}://127.0.0.1:{server.server_port}", server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ending.set()
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not take the certificate is what some tests are about."""
