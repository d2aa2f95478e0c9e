"""Large answers are read in one piece, whatever pieces they arrive in; a connection that ends amid one is told as before."""

import asyncio
import ssl
from random import Random
from typing import Any

import pytest
import trustme
from aiokafka import conn

from rice_stream.worker import broker_answers
from rice_stream.worker.broker_answers import LARGE_BYTES, LARGE_BYTES_MAX, AnswerProtocol, AnswerReader, opened

SIZES = (1, 4, 100, LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 1, 3 * LARGE_BYTES, 700_000)


async def _reader_of(sent: list[bytes]) -> tuple[AnswerReader, Any]:
    """Of a connection whose other end sends these pieces, and ends."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in sent:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    loop = asyncio.get_running_loop()
    closed = loop.create_future()
    protocol = AnswerProtocol(closed, None, loop=loop)
    await loop.create_connection(lambda: protocol, *server.sockets[0].getsockname()[:2])
    return protocol.answers, server


@pytest.mark.parametrize("seed", range(6))
def test_what_arrives_is_what_was_sent_in_any_pieces(seed: int) -> None:
    random = Random(seed)
    frames = [random.randbytes(random.choice(SIZES)) for _ in range(12)]
    whole, sent = b"".join(frames), []
    while whole:
        size = random.choice([1, 1_000, 70_000, 2_000_000])
        sent.append(whole[:size])
        whole = whole[size:]

    async def read() -> None:
        reader, server = await _reader_of(sent)
        for frame in frames:
            assert await reader.readexactly(len(frame)) == frame
        with pytest.raises(asyncio.IncompleteReadError):
            await reader.readexactly(1)
        server.close()

    asyncio.run(read())


@pytest.mark.parametrize("size", [LARGE_BYTES // 2, 5 * LARGE_BYTES, LARGE_BYTES_MAX + 1])
def test_an_end_amid_an_answer_is_told_with_what_came(size: int) -> None:
    """Also of a size that no answer has: what is not sent takes no memory."""

    async def read() -> None:
        reader, server = await _reader_of([b"x" * 5_000, b"y" * 5_000])
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await reader.readexactly(size)
        assert bytes(caught.value.partial) == b"x" * 5_000 + b"y" * 5_000
        server.close()

    asyncio.run(read())


def test_an_answer_that_is_larger_than_any_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no place of its own does not stop the connection: a broker may be told to take records as large as it likes."""
    monkeypatch.setattr(broker_answers, "LARGE_BYTES_MAX", 4 * LARGE_BYTES)
    answer = Random(5).randbytes(20 * LARGE_BYTES)

    async def read() -> None:
        reader, server = await _reader_of([answer, b"next"])
        assert await asyncio.wait_for(reader.readexactly(len(answer)), 10) == answer
        assert await asyncio.wait_for(reader.readexactly(4), 10) == b"next"
        server.close()

    asyncio.run(read())


def test_a_length_below_nothing_is_refused() -> None:
    """What says so is no broker."""
    with pytest.raises(ValueError, match="-5 bytes"):
        asyncio.run(AnswerReader().readexactly(-5))


@pytest.mark.parametrize("held_bytes", [1, 40, 5_000])
def test_an_encrypted_answer_is_whole_although_its_last_bytes_come_late(held_bytes: int) -> None:
    """What is missing of the wire is then less than what is missing of the answer."""
    authority, answer = trustme.CA(), Random(held_bytes).randbytes(700_000)
    of_server, of_client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(of_server)
    authority.configure_trust(of_client)

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    async def read() -> None:
        server = await asyncio.start_server(send, "127.0.0.1", 0, ssl=of_server)
        arrived = asyncio.Event()

        async def relay(from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
            """Hands on all that comes, and the last bytes when the reader has taken what was before."""
            from_server, to_server = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])

            async def of_the_client() -> None:
                while piece := await from_client.read(65_536):
                    to_server.write(piece)

            upward, sent = asyncio.create_task(of_the_client()), 0
            # A record of TLS is 22 bytes longer than what it holds, of which it is 16 KiB at most.
            while sent < len(answer) and (piece := await from_server.read(65_536)):
                sent += len(piece)
                kept = held_bytes if sent >= len(answer) else 0
                to_client.write(piece[: len(piece) - kept])
                await to_client.drain()
                if kept:
                    await arrived.wait()
                    to_client.write(piece[len(piece) - kept :])
            while piece := await from_server.read(65_536):
                to_client.write(piece)
            await upward

        between, loop = await asyncio.start_server(relay, "127.0.0.1", 0), asyncio.get_running_loop()
        protocol = AnswerProtocol(loop.create_future(), None, loop=loop)
        address = between.sockets[0].getsockname()[:2]
        transport, _ = await loop.create_connection(
            lambda: protocol, *address, ssl=of_client, server_hostname="localhost"
        )
        found = loop.create_task(protocol.answers.readexactly(len(answer)))
        found.add_done_callback(lambda _: arrived.set())
        loop.call_later(0.2, arrived.set)
        assert await asyncio.wait_for(found, 10) == answer
        transport.close()
        between.close()
        server.close()

    asyncio.run(read())


def test_it_is_what_aiokafka_reads_with_once_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIOKafkaConnection", "AIOKafkaProtocol", "io"):
        monkeypatch.setattr(conn, name, getattr(conn, name))
    broker_answers.install()
    assert conn.AIOKafkaConnection is broker_answers.Connection
    assert conn.AIOKafkaProtocol is AnswerProtocol
    assert vars(conn)["io"].BytesIO is opened


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_an_answer_is_read_part_by_part_as_any_stream(kind: type[bytes] | type[bytearray]) -> None:
    """Past its end there is nothing."""
    whole = kind(b"abcdefg")
    answer = opened(whole)
    assert [answer.read(size) for size in (0, 1, 3, 2, 9, 9)] == [b"", b"a", b"bcd", b"ef", b"g", b""]
    assert isinstance(whole, bytes) or not whole, "its memory is given back"
