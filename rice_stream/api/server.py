"""The HTTP server: uvicorn with limits on what a peer may leave unsaid.

uvicorn waits without end for the head of a request, and for a peer that does not read its answer. Bodies have limits of
their own (`bodies`).
"""

import asyncio
import gc
import signal
import socket
from collections import OrderedDict
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from rice_stream.api.transport import TlsFiles

HEAD_TIMEOUT_S = 10.0
"""From the connection, or the end of the answer before, to the end of a request's head."""
WRITE_TIMEOUT_S = 30.0
"""How long a peer may not read what it is sent."""
CONNECTIONS_MAX = 512
"""Connections open at a time: past that the one that has waited longest for its request is closed."""
STOP_TIMEOUT_S = 20
COLLECTS_AFTER = (10_000, 20, 20)
"""New objects, and rounds of each generation, after which Python looks for cycles. An answer makes thousands of small objects
without any: to look as often as by default took a tenth of the overview's processor time."""


class LimitedProtocol(H11Protocol):
    """One connection."""

    head_timeout_s = HEAD_TIMEOUT_S
    write_timeout_s = WRITE_TIMEOUT_S
    connections_max = CONNECTIONS_MAX

    def __init__(self, *args: Any, waiting: "OrderedDict[LimitedProtocol, None]", **options: Any) -> None:
        """`waiting`: the server's connections without a request, oldest first."""
        super().__init__(*args, **options)
        self._waiting = waiting
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A peer: it has to say what it wants."""
        super().connection_made(transport)
        self._expect_head()
        if len(self.connections) > self.connections_max and self._waiting:
            next(iter(self._waiting))._give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._head_is_there()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Part of a request."""
        super().data_received(data)
        if self._answering():
            self._head_is_there()

    def on_response_complete(self) -> None:
        """Answered: the next request, or the end of this one's body, has to come in time."""
        super().on_response_complete()
        if not self.transport.is_closing() and not self._answering():
            self._expect_head()

    def shutdown(self) -> None:
        """The server stops: what is being answered is answered, what has no end ends now."""
        super().shutdown()
        if self._answering():
            self.cycle.scope.get("state", {}).get("on_stop", _nothing)()

    def pause_writing(self) -> None:
        """The peer does not read."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.write_timeout_s, self._give_up)

    def resume_writing(self) -> None:
        """It reads again."""
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        if self.flow is not None:
            super().resume_writing()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_head(self) -> None:
        self._head_is_there()
        self._waiting[self] = None
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._give_up)

    def _head_is_there(self) -> None:
        self._waiting.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        """Close without a word: whoever said nothing, or reads nothing, is not waiting for one."""
        self._head_is_there()
        self.transport.abort()


def server_config(app: FastAPI, tls: TlsFiles | None = None) -> uvicorn.Config:
    """The server of the application, with its limits; `tls` None: plain HTTP."""
    return uvicorn.Config(
        app,
        http=partial(LimitedProtocol, waiting=OrderedDict()),  # type: ignore[arg-type]  # called like a class
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Past this, requests get 503: all connections are being answered, so none could make room.
        limit_concurrency=CONNECTIONS_MAX + 1,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
        # Who is connected is told by the connection alone (`transport.Peers`), not by what it says of itself.
        proxy_headers=False,
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else tls.key,
    )


def serve_until_stopped(app: FastAPI, listener: socket.socket, tls: TlsFiles | None = None) -> None:
    """Serve until SIGTERM or SIGINT; what is being answered then is answered."""
    # asyncio asks for this of sockets that it makes itself. Without it an answer whose body follows its head waits for the other
    # side's delayed acknowledgement, some 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # uvicorn raises the signal once more after it has finished in order; that must not end us with its code.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _finished)
    gc.set_threshold(*COLLECTS_AFTER)
    uvicorn.Server(server_config(app, tls)).run(sockets=[listener])


def _nothing() -> None:
    """Most answers end by themselves."""


def _finished(_number: int, _frame: FrameType | None) -> None:
    """Stopping was asked for, and has been done."""
