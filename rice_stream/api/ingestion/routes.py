"""The routes for events: POST /v1/events and, as OTLP/HTTP, /v1/traces and /v1/logs."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.bodies import JSON_TYPES, PROTOBUF_TYPES
from rice_stream.api.gateway import Gateway
from rice_stream.api.ingestion.answers import OTLP_JSON, events_answer, otlp_answer
from rice_stream.api.routing import needs
from rice_stream.events.formats.reading.options import AUTO

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
_ANY_JSON = {"schema": {"description": "docs/event-formats.md"}}
_LINES = {"schema": {"type": "string", "description": "A JSON object a line"}}
_PROTOBUF = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": {"application/json": _ANY_JSON, "application/x-ndjson": _LINES}}}
_OTLP_BODY = {
    "requestBody": {"required": True, "content": {"application/x-protobuf": _PROTOBUF, "application/json": _ANY_JSON}}
}
_Sender = Annotated[Caller, Depends(needs(Right.SEND_EVENTS))]


def install(app: FastAPI, gateway: Gateway) -> None:
    """Add the routes."""

    @app.post(
        "/v1/events",
        status_code=HTTPStatus.ACCEPTED,
        openapi_extra=_BODY,
        responses=_PROBLEMS | _NO_EVENTS,
        summary="Events in any JSON format",
        tags=["events"],
    )
    async def _events(request: Request, sender: _Sender) -> JSONResponse:
        _, received = await gateway.take(request, sender, JSON_TYPES, AUTO)
        return events_answer(received)

    async def _otlp(request: Request, sender: _Sender) -> Response:
        named, received = await gateway.take(request, sender, PROTOBUF_TYPES | {OTLP_JSON}, "otlp")
        return otlp_answer(named, received)

    for signal in ("traces", "logs"):
        app.post(
            f"/v1/{signal}",
            openapi_extra=_OTLP_BODY,
            responses=_PROBLEMS,
            summary=f"OTLP/HTTP {signal}, protobuf or JSON",
            tags=["events"],
            operation_id=f"otlp_{signal}",
        )(_otlp)
