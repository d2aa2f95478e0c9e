"""A receiver of webhooks on loopback that answers as a test says, over real sockets; what came in is kept in order."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web


class Reply(NamedTuple):
    """What a request gets. `after_s`: how late; `cut`: the connection ends in the midst of the body."""

    status: int = 204
    headers: Mapping[str, str] | None = None
    after_s: float = 0.0
    cut: bool = False


class Arrived(NamedTuple):
    """A request."""

    path: str
    message_id: str
    body: dict[str, Any]
    status: int


@dataclass
class HookReceiver:
    """`answer` is given the path, the message id and how often that was sent by now."""

    answer: Callable[[str, str, int], Reply] = lambda _path, _message_id, _count: Reply()
    arrived: list[Arrived] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    url: str = ""
    allowed: str = ""
    """What RICE_ALERT_ALLOWED_HOSTS has to name."""

    @property
    def taken(self) -> list[Arrived]:
        """What it took, in order."""
        return [each for each in self.arrived if each.status < 300]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """A request."""
        body = await request.read()
        message_id = request.headers["webhook-id"]
        self.counts[message_id] += 1
        reply = self.answer(request.path, message_id, self.counts[message_id])
        self.arrived.append(Arrived(request.path, message_id, json.loads(body), reply.status))
        await asyncio.sleep(reply.after_s)
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        if reply.cut:
            response.content_length = 1000
            await response.prepare(request)
            await response.write(b"half of")
            assert request.transport is not None
            request.transport.close()
            return response
        await response.prepare(request)
        await response.write_eof()
        return response


@contextmanager
def hook_receiver() -> Iterator[HookReceiver]:
    """Serves until the block ends."""
    receiver = HookReceiver()
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/{name:.*}", receiver.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
        port = runner.addresses[0][1]
        receiver.url, receiver.allowed = f"http://127.0.0.1:{port}", f"127.0.0.1:{port}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as running:
            running.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
