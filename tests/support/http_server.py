"""An HTTP server on loopback that answers as a test says, and keeps what it was asked."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Answer(NamedTuple):
    """One reply."""

    status: int
    body: bytes
    headers: dict[str, str]


class WebServer:
    """`answers` are given in turn, the last one for ever; `respond`, where set, makes one from the path instead."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [Answer(200, b"{}", {})]
        self.respond: Callable[[str], Answer] | None = None
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.url = ""

    def answer(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        """From now on, this."""
        self.answers = [Answer(status, body, headers)]

    def next_answer(self, path: str, headers: dict[str, str]) -> Answer:
        """What the request gets."""
        self.requests.append((path, headers))
        if self.respond is not None:
            return self.respond(path)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def web_server() -> Iterator[WebServer]:
    """Serves until the block ends."""
    server = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = server.next_answer(self.path, {key.lower(): value for key, value in self.headers.items()})
            self.send_response(answer.status)
            for key, value in answer.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join(5)
        http.server_close()
