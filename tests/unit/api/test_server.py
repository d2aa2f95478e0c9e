"""What a peer may leave unsaid, on real connections: heads that never end, answers that nobody reads, too many connections."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI, Response
from uvicorn.server import ServerState

from rice_stream.api import server
from rice_stream.api.access import shares
from rice_stream.api.server import LimitedProtocol, server_config
from tests.unit.api.conftest import Door

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
HEALTH = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
SILENT = [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nx-slow: ", HEALTH[:-2]]


@contextlib.asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[Connect]:
    """The protocol as `serve` has it, on a free port."""
    config, state = server_config(app), ServerState()
    config.load()
    loop = asyncio.get_running_loop()
    protocol: Any = config.http_protocol_class
    listening = await loop.create_server(
        lambda: protocol(config=config, server_state=state, app_state={}, _loop=loop), "127.0.0.1", 0
    )
    port = listening.sockets[0].getsockname()[1]
    made: list[asyncio.StreamWriter] = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        made.append(writer)
        return reader, writer

    try:
        yield connect
    finally:
        for writer in made:
            writer.close()
        listening.close()


async def healthy_in_s(connect: Connect) -> float:
    """How long an answer takes on a connection of its own."""
    began_s = time.monotonic()
    reader, writer = await connect()
    writer.write(HEALTH)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    return time.monotonic() - began_s


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Wait for the end of the stream, however it comes."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            while await reader.read(65_536):
                pass
    return True


@pytest.mark.parametrize("said", SILENT)
def test_a_head_that_never_ends_is_given_up_and_delays_nobody(
    door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    """200 of them: health answers in under a second, and all are closed."""
    monkeypatch.setattr(LimitedProtocol, "head_timeout_s", 1.0)

    async def test() -> None:
        async with serving(door().app) as connect:
            silent = [await connect() for _ in range(200)]
            for _, writer in silent:
                writer.write(said)
            assert await healthy_in_s(connect) < 1
            assert all([await is_closed(reader) for reader, _ in silent])

    asyncio.run(test())


def test_a_peer_that_says_a_byte_now_and_then_is_given_up_as_well(
    door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is for the whole head; also for the second request of a connection."""
    monkeypatch.setattr(LimitedProtocol, "head_timeout_s", 0.3)

    async def drip(first: bytes) -> None:
        async with serving(door().app) as connect:
            reader, writer = await connect()
            if first:
                writer.write(first)
                assert b"true" in await reader.readuntil(b"}")
            closed = asyncio.create_task(is_closed(reader))
            writer.write(b"GET /healthz HTTP/1.1\r\n")
            while not closed.done():
                with contextlib.suppress(ConnectionError):
                    writer.write(b"x: y\r\n")
                await asyncio.wait({closed}, timeout=0.02)
            assert await closed

    for first in (b"", HEALTH):
        asyncio.run(drip(first))


def test_a_request_that_takes_its_time_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is for what the peer has to say, not for the answer."""
    monkeypatch.setattr(LimitedProtocol, "head_timeout_s", 0.1)
    app = FastAPI()

    @app.get("/healthz")
    async def _slow() -> Response:
        done = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.5, done.set_result, None)
        await done
        return Response(b"{}")

    async def test() -> None:
        async with serving(app) as connect:
            assert await healthy_in_s(connect) >= 0.5

    asyncio.run(test())


def test_a_peer_that_does_not_read_its_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LimitedProtocol, "write_timeout_s", 0.3)
    app = FastAPI()

    @app.get("/healthz")
    async def _much() -> Response:
        return Response(b"x" * 50_000_000)

    async def test() -> None:
        async with serving(app) as connect:
            reader, writer = await connect()
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(HEALTH)
            given_up = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(1.0, given_up.set_result, None)
            await given_up
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            received = 0
            with contextlib.suppress(ConnectionError):
                while piece := await reader.read(1_000_000):
                    received += len(piece)
            assert received < 50_000_000

    asyncio.run(test())


def test_of_too_many_connections_the_one_that_waited_longest_makes_room(
    door: Callable[..., Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LimitedProtocol, "connections_max", 20)

    async def test() -> None:
        async with serving(door().app) as connect:
            silent = [await connect() for _ in range(40)]
            assert await healthy_in_s(connect) < 1
            assert all([await is_closed(reader) for reader, _ in silent[:20]])

    asyncio.run(test())


def test_senders_that_stop_within_their_bodies_leave_connections_for_health(door: Callable[..., Door]) -> None:
    """As many as there may be connections, all of one sender: those that are too many are told so, and health answers."""
    made = door()
    head = (
        b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"
    )

    async def test() -> None:
        async with serving(made.app) as connect:
            silent = [await connect() for _ in range(server.CONNECTIONS_MAX)]
            for _, writer in silent:
                writer.write(head)
            refused, _ = silent[-1]
            # 503 where there are too many of all senders before it is known whose it is.
            assert (await refused.readline())[:12] in (b"HTTP/1.1 429", b"HTTP/1.1 503")
            assert await healthy_in_s(connect) < 1

    asyncio.run(test())


def test_open_files_are_enough_for_all_connections() -> None:
    """Most systems allow 1,024 without being asked."""
    assert shares.REQUESTS_MAX < server.CONNECTIONS_MAX <= 600
