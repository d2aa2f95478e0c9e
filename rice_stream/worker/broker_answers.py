"""Answers of a broker, read straight into the memory that they are taken from.

A fetch brings megabytes. asyncio's own reader takes them from the socket in small pieces, wakes whoever waits at each, pauses the
socket in between, and copies all of it twice; aiokafka copies it two times more.
"""

import asyncio
import io
import socket
from types import SimpleNamespace
from typing import Any

from aiokafka import conn

LARGE_BYTES = 32 * 1024
"""From so many bytes on an answer has a place of its own."""
LARGE_BYTES_MAX = 256 * 1024 * 1024
"""A larger one is none: what says so is no broker, and gets memory for what it sends alone."""
WAKE_BYTES = 512 * 1024
"""Of what is missing of one, so much is waited for at a time: the system wakes us for every packet otherwise."""
_Connection: Any = conn.AIOKafkaConnection
_Protocol: Any = conn.AIOKafkaProtocol


def install() -> None:
    """Let aiokafka read with these classes, in all of this process."""
    vars(conn).update(
        AIOKafkaConnection=Connection, AIOKafkaProtocol=AnswerProtocol, io=SimpleNamespace(BytesIO=opened)
    )


class AnswerReader:
    """What aiokafka asks of asyncio's reader; it wakes who waits for a large answer once all of it is there."""

    _source_traceback = None

    def __init__(self) -> None:
        self._small = memoryview(bytearray(LARGE_BYTES))
        self._buffer = bytearray()
        """What arrived and was not asked for yet."""
        self._missing = memoryview(b"")
        """Where the rest of the answer goes that is waited for."""
        self._transport: asyncio.ReadTransport | None = None
        self._wake_at = 1
        self._paused = False
        self._eof = False
        self._error: BaseException | None = None
        self._changed = asyncio.Event()

    async def readexactly(self, n: int) -> bytes | bytearray:
        """So many bytes. IncompleteReadError: the connection has ended before. ValueError: fewer than none."""
        if n < 0:
            raise ValueError(f"an answer of {n} bytes")
        if LARGE_BYTES <= n <= LARGE_BYTES_MAX and n > len(self._buffer):
            return await self._in_place(n)
        while len(self._buffer) < n:
            self._resume()
            await self._wait(self._buffer, n)
        found = bytes(memoryview(self._buffer)[:n])
        del self._buffer[:n]
        self._resume()
        return found

    async def _in_place(self, n: int) -> bytearray:
        answer, have = bytearray(n), len(self._buffer)
        answer[:have] = self._buffer
        self._buffer.clear()
        self._missing = memoryview(answer)[have:]
        self._wake_from(len(self._missing))
        self._resume()
        try:
            while self._missing:
                await self._wait(memoryview(answer)[: n - len(self._missing)], n)
        finally:
            self._missing = memoryview(b"")
            self._wake_from(1)
        return answer

    def _wake_from(self, size_bytes: int) -> None:
        """Have the system wake us for no fewer bytes, or for the end of the connection.

        Not where they are encrypted: what is missing of the last piece may be shorter than what it says.
        """
        if self._transport is None or self._transport.get_extra_info("ssl_object") is not None:
            return
        wake_at = min(size_bytes, WAKE_BYTES)
        connected = self._transport.get_extra_info("socket")
        if wake_at != self._wake_at and connected is not None and connected.fileno() >= 0:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wake_at)
            self._wake_at = wake_at

    async def _wait(self, found: bytearray | memoryview, wanted: int) -> None:
        if self._error is not None:
            raise self._error
        if self._eof:
            raise asyncio.IncompleteReadError(bytes(found), wanted)
        self._changed.clear()
        await self._changed.wait()

    def _resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def room(self) -> memoryview:
        """Where what arrives next goes."""
        return self._missing or self._small

    def arrived(self, count: int) -> None:
        """So many bytes have been put there."""
        if self._missing:
            self._missing = self._missing[count:]
            if self._missing:
                self._wake_from(len(self._missing))
            else:
                self._changed.set()
            return
        self._buffer += self._small[:count]
        self._changed.set()
        if len(self._buffer) > LARGE_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def set_transport(self, transport: asyncio.ReadTransport) -> None:
        """The connection is there."""
        self._transport = transport

    def feed_eof(self) -> None:
        """Nothing comes any more."""
        self._eof = True
        self._changed.set()

    def at_eof(self) -> bool:
        """Whether nothing comes any more, and all is read."""
        return self._eof and not self._buffer

    def exception(self) -> BaseException | None:
        """Why the connection was lost."""
        return self._error

    def set_exception(self, error: BaseException) -> None:
        """The connection is lost."""
        self._error = error
        self._changed.set()


class OpenedAnswer:
    """An answer that is read from its beginning, part by part; only what is read is copied.

    Once all is read its memory is given back, whoever still holds it: aiokafka does until the next answer.
    """

    def __init__(self, answer: bytearray) -> None:
        self._answer = answer
        self._at = 0

    def read(self, size: int) -> bytes:
        """The next so many bytes, or what is left."""
        part = bytes(memoryview(self._answer)[self._at : self._at + size])
        self._at += len(part)
        if self._at == len(self._answer):
            self._answer.clear()
            self._at = 0
        return part


def opened(answer: bytes | bytearray) -> OpenedAnswer | io.BytesIO:
    """What aiokafka reads the parts of an answer from."""
    return OpenedAnswer(answer) if isinstance(answer, bytearray) else io.BytesIO(answer)


class AnswerProtocol(_Protocol, asyncio.BufferedProtocol):  # type: ignore[misc]
    """aiokafka's protocol, whose bytes go where the reader wants them."""

    def __init__(self, closed_fut: Any, reader: Any, *, loop: asyncio.AbstractEventLoop) -> None:
        del reader
        self.answers = AnswerReader()
        super().__init__(closed_fut, self.answers, loop=loop)

    def get_buffer(self, sizehint: int) -> memoryview:
        """See `AnswerReader.room`."""
        del sizehint
        return self.answers.room()

    def buffer_updated(self, nbytes: int) -> None:
        """See `AnswerReader.arrived`."""
        self.answers.arrived(nbytes)


class Connection(_Connection):  # type: ignore[misc]
    """aiokafka's connection, which reads with the reader of its protocol."""

    def _create_reader_task(self) -> Any:
        self._reader = self._protocol.answers
        return super()._create_reader_task()
