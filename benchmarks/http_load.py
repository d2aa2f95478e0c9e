"""Questions to the server of the API over connections that stay open, each asked as soon as the one before is answered."""

import asyncio
import math
import random
import time
from collections.abc import Callable

CONNECTIONS = 16
Question = Callable[[random.Random], str]


async def load(question: Question, port: int, token: str, seconds: float, seed: int) -> list[float]:
    """Seconds that each answer took."""
    times: list[float] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(
        *(ask(question, port, token, until, random.Random(f"{seed}-{n}"), times) for n in range(CONNECTIONS))
    )
    return times


async def ask(
    question: Question, port: int, token: str, until: float, random_: random.Random, times: list[float]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        times.append(await once(question(random_), reader, writer, token))
        if time.perf_counter() >= until:
            break
    writer.close()


async def once(
    path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str, headers: str = ""
) -> float:
    """Seconds that the answer took; infinite where it took longer than a statement may."""
    began = time.perf_counter()
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n{headers}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if head.startswith(b"HTTP/1.1 200"):
        return time.perf_counter() - began
    if head.startswith(b"HTTP/1.1 503"):
        return math.inf
    raise RuntimeError(f"{path}: {head!r} {body[:500]!r}")
