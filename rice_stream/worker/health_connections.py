"""The connections of the worker's health server: a thread each, a bounded number of them, and none may stay silent.

A peer that connects and says nothing (a port scanner, half of a load balancer's connection, a stuck scrape) must not
keep the next probe from its answer: a supervisor that gets none restarts the worker.
"""

import contextlib
import logging
import socket
import sys
import threading
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

log = logging.getLogger(__name__)

CONNECTIONS_MAX = 64
"""Connections open at a time: past that the oldest is closed, which under normal load was answered long ago."""
SILENCE_MAX_S = 5.0
"""How long a peer may say nothing before its connection is closed."""
_BACKLOG = 256
"""Connections that may wait to be accepted; past it the system drops new ones, and clients try again a second later."""


class HealthWsgiServer(ThreadingMixIn, WSGIServer):
    """Answers every connection in a thread of its own, at most `CONNECTIONS_MAX` at a time."""

    daemon_threads = True
    request_queue_size = _BACKLOG

    def __init__(self, *args: Any, **options: Any) -> None:
        self._open: dict[socket.socket, None] = {}
        self._open_lock = threading.Lock()
        super().__init__(*args, **options)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a new thread; with too many connections the oldest one makes room."""
        with self._open_lock:
            oldest = next(iter(self._open)) if len(self._open) >= CONNECTIONS_MAX else None
            if oldest is not None:
                del self._open[oldest]
            self._open[request] = None
        if oldest is not None:
            # Its thread, which waits for the peer to say something, sees the end of the stream and closes it.
            with contextlib.suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        """The connection was answered, or its peer said nothing in time."""
        with self._open_lock:
            self._open.pop(request, None)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that is silent or gone is its own matter; anything else is logged. The server goes on."""
        if isinstance(sys.exception(), OSError):
            log.debug("the peer at %s of the health server was silent or went away", client_address)
        else:
            log.exception("a request to the health server from %s was not answered", client_address)


class HealthRequestHandler(WSGIRequestHandler):
    """Reads one request and answers it, within `SILENCE_MAX_S` for each wait on the peer."""

    timeout = SILENCE_MAX_S

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds and are not logged."""
