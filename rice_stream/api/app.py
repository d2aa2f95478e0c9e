"""The routes: POST /v1/events and, as OTLP/HTTP, /v1/traces and /v1/logs; health, metrics, OpenAPI."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from rice_stream import __version__
from rice_stream.api import problems
from rice_stream.api.access.admission import Admission
from rice_stream.api.access.stored_tokens import StoredTokens
from rice_stream.api.access.token_book import TokenBook
from rice_stream.api.bodies import JSON_TYPES, PROTOBUF_TYPES
from rice_stream.api.gateway import FormatsNow, Gateway
from rice_stream.api.ingestion.answers import OTLP_JSON, events_answer, otlp_answer
from rice_stream.api.ingestion.publishing import Publisher
from rice_stream.api.problems import ProblemError
from rice_stream.api.readiness import Readiness
from rice_stream.events.formats.reading.options import AUTO
from rice_stream.runtime.settings.settings import Settings

_OPEN_TO_ANY_HOST = frozenset({"/healthz", "/readyz"})
"""Probes name the host as they like, and learn nothing from these."""
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is empty, cut, or no OTLP"},
    401: {"description": "No valid token"},
    403: {"description": "The token may not send events, or may write none of these: `refused` lists them"},
    408: {"description": "The body came too slowly"},
    413: {"description": "Too large, or too many items; send it in parts"},
    415: {"description": "Another content type or encoding"},
    429: {"description": "Too much at once; come back after Retry-After seconds"},
    503: {
        "description": "The broker did not confirm, or tokens cannot be checked; come back after Retry-After seconds"
    },
}
_NO_EVENTS: dict[int | str, dict[str, Any]] = {422: {"description": "An item is no event: nothing was taken"}}
_BODY = {"requestBody": {"required": True, "content": {"application/json": {}, "application/x-ndjson": {}}}}
_OTLP_BODY = {"requestBody": {"required": True, "content": {"application/x-protobuf": {}, "application/json": {}}}}


def make_admission(settings: Settings) -> Admission:
    """Who may send, by RICE_HTTP_TOKEN and the tokens of the database."""
    return Admission(settings, TokenBook(StoredTokens(settings)))


def create_app(
    settings: Settings,
    publisher: Publisher,
    admission: Admission | None = None,
    formats_now: FormatsNow | None = None,
) -> FastAPI:
    """The application; the caller starts and closes the publisher. `formats_now`: None reads as the settings say."""
    app = FastAPI(title="rice_stream", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    gateway = Gateway(settings, publisher, admission or make_admission(settings), formats_now)
    readiness = Readiness(publisher.check)
    problems.install(app)

    async def _guarded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        # The path of the request line: `request.url` is put together with what the sender gives as Host.
        if request.scope["path"] not in _OPEN_TO_ANY_HOST:
            try:
                gateway.admission.check_host(request)
            except ProblemError as problem:
                return problems.response(problem)
        return await call_next(request)

    @app.middleware("http")
    async def _count(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        answer = await _guarded(request, call_next)
        gateway.metrics.answered(request, answer.status_code)
        return answer

    @app.post(
        "/v1/events",
        status_code=HTTPStatus.ACCEPTED,
        openapi_extra=_BODY,
        responses=_PROBLEMS | _NO_EVENTS,
        summary="Events in any JSON format",
    )
    async def _events(request: Request) -> JSONResponse:
        _, received = await gateway.take(request, JSON_TYPES, AUTO)
        return events_answer(received)

    @app.post("/v1/traces", openapi_extra=_OTLP_BODY, responses=_PROBLEMS, summary="OTLP/HTTP traces, protobuf or JSON")
    @app.post("/v1/logs", openapi_extra=_OTLP_BODY, responses=_PROBLEMS, summary="OTLP/HTTP logs, protobuf or JSON")
    async def _otlp(request: Request) -> Response:
        named, received = await gateway.take(request, PROTOBUF_TYPES | {OTLP_JSON}, "otlp")
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
