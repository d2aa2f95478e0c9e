"""What is seen of a request from outside its route: a number of its own in every line of the log, its span, its count.

A span says method, template of the route, status and the caller's role: no path, no query, no header, no name of anybody.
"""

import secrets
import time
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rice_stream.api.access.limit_headers import limit_headers
from rice_stream.api.metrics import ServerMetrics, route_of
from rice_stream.runtime.log_fields import set_log_fields
from rice_stream.runtime.tracing import NO_SPAN, TraceSpan, Tracing

REQUEST_ID = b"x-request-id"
_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})
"""What is asked every few seconds."""
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_CONTEXT = (b"traceparent", b"tracestate")
_FAILED = 500


class Observed:
    """An application, observed."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics, tracing: Tracing) -> None:
        self._app = app
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_s = time.perf_counter()
        request_id = secrets.token_hex(8)
        span = self._begin(scope)
        # A request has a task of its own, and its fields end with that.
        set_log_fields({"request_id": request_id, **span.log_fields})
        status: int | None = None

        def answered(code: int) -> None:
            nonlocal status
            if status is None:
                status = code
                self._metrics.answered(scope, code, time.perf_counter() - begun_s)
                _say(span, scope, code)

        async def seen(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered(message["status"])
                share = scope.get("state", {}).get("share")
                limits = [] if share is None else limit_headers(share)
                message["headers"] = [*message["headers"], (REQUEST_ID, request_id.encode()), *limits]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        except BaseException as error:
            # What no route foresaw is answered further out, with 500; who has gone is answered nothing.
            if isinstance(error, Exception):
                answered(_FAILED)
            span.end(type(error).__name__)
            raise
        span.end(str(status) if status is not None and status >= _FAILED else None)

    def _begin(self, scope: Scope) -> TraceSpan:
        if not self._tracing.on or scope["path"] in _UNTRACED:
            return NO_SPAN
        return self._tracing.begin_answer(_method(scope), _context(scope))


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "_OTHER"


def _context(scope: Scope) -> Mapping[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in _CONTEXT}


def _say(span: TraceSpan, scope: Scope, status: int) -> None:
    if span is NO_SPAN:
        return
    method, route = _method(scope), route_of(scope)
    span.rename(f"{method} {route}")
    span.set(http__request__method=method, http__route=route, http__response__status_code=status)
    caller = scope.get("state", {}).get("caller")
    if caller is not None:
        span.set(rice__role=",".join(sorted({grant.role for grant in caller.grants})))
