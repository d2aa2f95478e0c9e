"""GET /v1/stream: server-sent events that say when something has changed for the caller, so that pages need not ask again."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from http import HTTPStatus
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import Depends, FastAPI, Header, Query, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.limits import AtOnce
from rice_stream.api.live.look_outs import LookOut, LookOuts
from rice_stream.api.parameters import Name, Parameters
from rice_stream.api.problems import ProblemError
from rice_stream.api.product import Product
from rice_stream.api.routing import keeps
from rice_stream.errors import RiceError
from rice_stream.reports.signs import Signs
from rice_stream.store.scope import Scope

STREAMS_MAX = 256
"""Of all callers together: as many connections are left for everything else (`server.CONNECTIONS_MAX`)."""
HEARTBEAT_S = 15.0
CHECKED_EVERY_S = 1.0
"""How often it is looked whether the caller may still listen."""
RECONNECT_MS = 2_000
_LOOKS_AT_ONCE = 2
"""Threads and connections to the database for all who listen."""
_ID_LENGTH_MAX = 200
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
_Listener = Annotated[Caller, Depends(keeps(Right.READ))]


class StreamParameters(Parameters):
    """What is listened to, and since when."""

    tenant: Name | None = Field(None, description="One tenant; all that the caller may see otherwise")
    after: str | None = Field(
        None, max_length=_ID_LENGTH_MAX, description="The id up to which all is known; the header Last-Event-ID wins"
    )
    limit: int | None = Field(None, ge=1, le=1_000, description="End after so many events; without it go on")


class Listening:
    """What all streams of a server share."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._limiter: anyio.CapacityLimiter | None = None
        self.watches = LookOuts(self._look)
        self.places = AtOnce(STREAMS_MAX, f"{STREAMS_MAX} pages listen already")

    async def _look(self, scope: Scope) -> Signs:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_LOOKS_AT_ONCE)
        return await anyio.to_thread.run_sync(self._product.signs, scope, limiter=self._limiter)


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""
    listening = Listening(product)

    @app.get(
        "/v1/stream",
        summary="Server-sent events: that something has changed, never what it is",
        tags=["live"],
        response_class=StreamingResponse,
        responses={
            200: {"description": _DESCRIPTION, "content": {"text/event-stream": {"schema": {"type": "string"}}}}
        },
    )
    async def _stream(
        request: Request,
        asked: Annotated[StreamParameters, Query()],
        caller: _Listener,
        last_event_id: Annotated[str | None, Header(max_length=_ID_LENGTH_MAX)] = None,
    ) -> StreamingResponse:
        scope = product.scope(caller, Right.READ, asked.tenant)
        held = ExitStack()
        held.enter_context(listening.places.one_more())
        watch = held.enter_context(listening.watches.listening(scope))
        said = events(
            watch,
            after=last_event_id or asked.after,
            limit=asked.limit,
            may_listen=lambda: _may_listen(request, caller),
            stopped=_stopped(request),
        )
        return StreamingResponse(_held(said, held), headers=_HEADERS, media_type="text/event-stream")


_DESCRIPTION = (
    '`changed` with an id and `{"changed": ["totals", "alerts", "budgets", "quarantine", "deliveries"], "watermark"}`: those of'
    " them that have changed since `after` or Last-Event-ID, none in the first event without one. `stale`: the database does not"
    " answer; the next `changed` says that it does again. `ended`: the caller may no longer listen, and the stream ends. A comment"
    " every 15 s."
)


async def events(
    watch: LookOut,
    *,
    after: str | None,
    limit: int | None,
    may_listen: Callable[[], Awaitable[bool]],
    stopped: asyncio.Event,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[bytes]:
    """What one listener is sent, until it may no longer listen, the server stops, or `limit` events were sent."""
    seen, told_stale, count = after, False, 0
    spoken_s = clock()
    yield format_sse_event(retry=RECONNECT_MS, comment="rice_stream")
    while not stopped.is_set():
        said = None
        if watch.is_stale and not told_stale:
            told_stale, said = True, format_sse_event(event="stale", data_str="{}")
        elif not watch.is_stale and watch.signs is not None and (told_stale or watch.signs.id != seen):
            said = _changed(watch.signs, seen)
            told_stale, seen = False, watch.signs.id
        elif clock() - spoken_s >= HEARTBEAT_S:
            spoken_s = clock()
            yield format_sse_event(comment="")
        if said is not None:
            spoken_s, count = clock(), count + 1
            yield said
            if count == limit:
                return
        await watch.turn(CHECKED_EVERY_S)
        if not await may_listen():
            yield format_sse_event(event="ended", data_str="{}")
            return


def _changed(signs: Signs, seen: str | None) -> bytes:
    data = {"changed": signs.changed_since(seen), "watermark": signs.watermark}
    return format_sse_event(event="changed", id=signs.id, data_str=json.dumps(data))


async def _held(said: AsyncIterator[bytes], held: ExitStack) -> AsyncIterator[bytes]:
    with held:
        async for piece in said:
            yield piece


async def _may_listen(request: Request, caller: Caller) -> bool:
    """Whether it is still who it was, with the same rights; while nobody can say, it is."""
    try:
        now: Caller = await request.app.state.admission.caller(request, Right.READ)
    except ProblemError as problem:
        return problem.status is HTTPStatus.SERVICE_UNAVAILABLE
    except RiceError:
        return True
    return now.grants == caller.grants


def _stopped(request: Request) -> asyncio.Event:
    """Set when the server stops (`server.LimitedProtocol.shutdown`): it waits for answers, and this one has no end."""
    stopped = asyncio.Event()
    state: dict[str, Any] = request.scope.setdefault("state", {})
    state["on_stop"] = stopped.set
    return stopped
