"""The routes: POST /v1/events and, as OTLP/HTTP, /v1/traces and /v1/logs; health, metrics, OpenAPI."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from rice_stream import __version__
from rice_stream.api import problems
from rice_stream.api.bodies import JSON_TYPES, PROTOBUF_TYPES, BodyReader, content_encoding, media_type
from rice_stream.api.ingestion.publishing import BrokerBehindError, Publisher
from rice_stream.api.ingestion.receiving import Received, receive
from rice_stream.api.limits import RateLimit, check_host, check_token, token
from rice_stream.api.metrics import HttpMetrics
from rice_stream.api.problems import ProblemError, later
from rice_stream.api.readiness import Readiness
from rice_stream.errors import ServiceUnavailableError
from rice_stream.events.records import TooManyItemsError
from rice_stream.runtime.settings.settings import Settings

log = logging.getLogger(__name__)

IN_FLIGHT_MAX = 256
"""Requests worked on at once; each may hold a body of RICE_HTTP_BODY_MAX_BYTES in memory."""
RETRY_AFTER_S = 5
"""When to come back after a broker that lags or is gone."""
_OPEN_TO_ANY_HOST = frozenset({"/healthz", "/readyz"})
"""Probes name the host as they like, and learn nothing from these."""
_REFUSED_LISTED_MAX = 20
_OTLP_JSON = "application/json"
_BODY = {"requestBody": {"required": True, "content": {"application/json": {}, "application/x-ndjson": {}}}}
_OTLP_BODY = {"requestBody": {"required": True, "content": {"application/x-protobuf": {}, "application/json": {}}}}


class Gateway:
    """What the routes share: settings, the producer, limits and counters."""

    def __init__(self, settings: Settings, publisher: Publisher) -> None:
        self.settings = settings
        self.publisher = publisher
        self.token = token(settings)
        self.metrics = HttpMetrics()
        self._options = settings.format_options()
        self._rate = RateLimit(settings.http_requests_per_s)
        self._bodies = BodyReader(settings.http_body_max_bytes)
        self._in_flight = 0

    async def take(self, request: Request, allowed: frozenset[str], format_: str) -> tuple[str, Received]:
        """Read, understand and publish one request; returns its media type and what it held. ProblemError: why not."""
        check_token(request, self.token)
        self._rate.take()
        named = media_type(request, allowed)
        packed = await self._bodies.read(request)
        # Counted from here on: a sender that stops within a body must not take the place of another.
        if self._in_flight >= IN_FLIGHT_MAX:
            raise later(HTTPStatus.TOO_MANY_REQUESTS, f"{self._in_flight} requests wait for the broker already", 1)
        self._in_flight += 1
        try:
            # In a thread: a large body must not keep other requests and the broker's answers waiting.
            received = await asyncio.to_thread(self._understood, packed, request, format_)
            await self._publish(received)
        finally:
            self._in_flight -= 1
        self.metrics.count(received)
        return named, received

    def _understood(self, packed: bytes, request: Request, format_: str) -> Received:
        body = self._bodies.unpacked(packed, content_encoding(request))
        options = replace(self._options, topic_formats={}, default_format=format_)
        whole_or_nothing = format_ == "auto"
        try:
            received = receive(
                body,
                request.headers.items(),
                options,
                refused_max=_REFUSED_LISTED_MAX + 1 if whole_or_nothing else None,
            )
        except TooManyItemsError as error:
            raise ProblemError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has {error}; send it in parts"
            ) from error
        if whole_or_nothing and received.refused:
            raise refused(received)
        return received

    async def _publish(self, received: Received) -> None:
        try:
            await self.publisher.publish(received.events)
        except BrokerBehindError as error:
            raise later(HTTPStatus.TOO_MANY_REQUESTS, str(error), RETRY_AFTER_S) from error
        except ServiceUnavailableError as error:
            log.warning("answered 503: %s", error)
            raise later(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the broker did not confirm the events; send them again, what did arrive counts once",
                RETRY_AFTER_S,
            ) from error


def refused(received: Received) -> ProblemError:
    """422: at least one item is no event. Nothing of the body was taken, so the sender can repeat all of it.

    `refused_total` is null where the rest of the body was not looked at.
    """
    count = len(received.refused)
    all_listed = count <= _REFUSED_LISTED_MAX
    said = f"{count} item(s)" if all_listed else f"more than {_REFUSED_LISTED_MAX} items"
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{said} are no events, so nothing was taken; see docs/event-formats.md",
        more={
            "refused": received.refused[:_REFUSED_LISTED_MAX],
            "refused_total": count if all_listed else None,
        },
    )


def create_app(settings: Settings, publisher: Publisher) -> FastAPI:
    """The application; the caller starts and closes the publisher."""
    app = FastAPI(title="rice_stream", version=__version__, docs_url=None, redoc_url=None)
    gateway = Gateway(settings, publisher)
    readiness = Readiness(publisher.check)
    problems.install(app)

    async def _guarded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        if gateway.token is None and request.url.path not in _OPEN_TO_ANY_HOST:
            try:
                check_host(request)
            except ProblemError as problem:
                return problems.response(problem)
        return await call_next(request)

    @app.middleware("http")
    async def _count(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        answer = await _guarded(request, call_next)
        gateway.metrics.answered(request, answer.status_code)
        return answer

    @app.post("/v1/events", status_code=HTTPStatus.ACCEPTED, openapi_extra=_BODY, summary="Events in any JSON format")
    async def _events(request: Request) -> JSONResponse:
        _, received = await gateway.take(request, JSON_TYPES, "auto")
        document = {"accepted": len(received.events), "ignored": received.ignored}
        return JSONResponse(document, status_code=HTTPStatus.ACCEPTED)

    @app.post("/v1/traces", openapi_extra=_OTLP_BODY, summary="OTLP/HTTP traces, protobuf or JSON")
    @app.post("/v1/logs", openapi_extra=_OTLP_BODY, summary="OTLP/HTTP logs, protobuf or JSON")
    async def _otlp(request: Request) -> Response:
        named, received = await gateway.take(request, PROTOBUF_TYPES | {_OTLP_JSON}, "otlp")
        return otlp_answer(named, received)

    @app.get("/healthz", summary="The process answers")
    async def _healthz() -> JSONResponse:
        return JSONResponse({"ok": True})

    @app.get("/readyz", summary="The broker answers and has the topic")
    async def _readyz() -> JSONResponse:
        problem = await readiness.problem()
        if problem is not None:
            return JSONResponse({"ok": False, "problems": {"kafka": problem}}, status_code=503)
        return JSONResponse({"ok": True, "problems": {}})

    @app.get("/metrics", summary="Prometheus")
    async def _metrics() -> Response:
        return Response(generate_latest(gateway.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app


def otlp_answer(named: str, received: Received) -> Response:
    """OTLP's own answer, in the encoding of the request. Refused spans are a partial success: exporters do not repeat it.

    400 where the whole message is no OTLP.
    """
    if received.refused and not received.events and not received.ignored:
        raise ProblemError(HTTPStatus.BAD_REQUEST, str(received.refused[0]["detail"]))
    count = len(received.refused)
    reasons = "; ".join(dict.fromkeys(f"{item['reason']}: {item['detail']}" for item in received.refused[:5]))
    if named == _OTLP_JSON:
        return JSONResponse({"partialSuccess": {"rejectedSpans": str(count), "errorMessage": reasons}} if count else {})
    answer = ExportTraceServiceResponse()
    if count:
        # ExportLogsServiceResponse has the same fields at the same numbers.
        answer.partial_success.rejected_spans = count
        answer.partial_success.error_message = reasons
    return Response(answer.SerializeToString(), media_type=named)
