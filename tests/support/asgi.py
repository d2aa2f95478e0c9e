"""Requests to an ASGI application without a socket between: bodies come in pieces, or never to an end."""

import asyncio
import json
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from typing import Any, NamedTuple

from starlette.types import ASGIApp

LOOPBACK_HOST = "127.0.0.1:8080"


class Answer(NamedTuple):
    """What the application answered; header names in lower case, one a line where a header is there several times."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    pieces: Iterable[bytes] = (),
    headers: Iterable[tuple[str, str]] = (),
    *,
    complete: bool = True,
    leaves: bool = False,
    fails_with: tuple[type[Exception], ...] = (),
) -> Answer:
    """One request; where it is not `complete`, the sender keeps silent after the last piece, or `leaves`.

    A stream of events is left once it has begun, unless the request says after how many events it ends (`limit`).
    `fails_with`: errors that the application may raise to its server after it has answered.
    """
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if complete:
        messages.append({"type": "http.request", "body": b"", "more_body": False})
    if leaves:
        messages.append({"type": "http.disconnect"})
    waiting = iter(messages)
    sent: list[MutableMapping[str, Any]] = []
    left: asyncio.Future[MutableMapping[str, Any]] = asyncio.get_running_loop().create_future()

    async def receive() -> MutableMapping[str, Any]:
        message = next(waiting, None)
        return message if message is not None else await asyncio.shield(left)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)
        if _is_stream(sent[0]) and len(sent) > 1 and "limit=" not in path and not left.done():
            left.set_result({"type": "http.disconnect"})

    given = [(name.lower(), value) for name, value in headers]
    if "host" not in dict(given):
        given.append(("host", LOOPBACK_HOST))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path.partition("?")[0],
        "raw_path": path.partition("?")[0].encode(),
        "query_string": path.partition("?")[2].encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in given],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8080),
    }
    with suppress(*fails_with):
        await app(scope, receive, send)
    began = sent[0]
    answered: dict[str, str] = {}
    for name, value in began["headers"]:
        text = value.decode("latin-1")
        before = answered.get(key := name.decode("latin-1").lower())
        answered[key] = text if before is None else f"{before}\n{text}"
    return Answer(began["status"], answered, b"".join(message.get("body", b"") for message in sent[1:]))


def _is_stream(began: MutableMapping[str, Any]) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in began["headers"])
