"""What a sender of events is told: what was taken, what was not, and why."""

from http import HTTPStatus
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from rice_stream.api.ingestion.receiving import Received, problems_of
from rice_stream.api.problems import ProblemError

REFUSED_LISTED_MAX = 20
OTLP_JSON = "application/json"
_NOT_ALLOWED = "the token may not write this"


def check_all_are_events(received: Received) -> None:
    """ProblemError 422: at least one item is no event. Nothing of the body is taken, so the sender can repeat all of it.

    `refused_total` is null where the rest of the body was not looked at.
    """
    count = len(received.refused)
    if not count:
        return
    all_listed = count <= REFUSED_LISTED_MAX
    said = f"{count} item(s)" if all_listed else f"more than {REFUSED_LISTED_MAX} items"
    raise ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{said} are no events, so nothing was taken; see docs/event-formats.md",
        more={
            "refused": problems_of(received.refused[:REFUSED_LISTED_MAX]),
            "refused_total": count if all_listed else None,
        },
    )


def check_not_all_forbidden(received: Received) -> None:
    """ProblemError 403: every item is of a tenant or team that the sender may not write."""
    if received.forbidden and not (received.events or received.ignored or received.refused):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            f"the token may write none of the {len(received.forbidden)} item(s)",
            more={"refused": _forbidden(received)},
        )


def check_any_is_otlp(received: Received) -> None:
    """ProblemError 400: the message as a whole is no OTLP."""
    if received.refused and not (received.events or received.ignored or received.forbidden):
        raise ProblemError(HTTPStatus.BAD_REQUEST, received.refused[0].detail)


def events_answer(received: Received) -> JSONResponse:
    """202: how many events are on Kafka, and which the sender may not write."""
    document: dict[str, Any] = {"accepted": len(received.events), "ignored": received.ignored}
    if received.forbidden:
        document["refused"] = _forbidden(received)
    return JSONResponse(document, status_code=HTTPStatus.ACCEPTED)


def otlp_answer(named: str, received: Received) -> Response:
    """OTLP's own answer, in the encoding of the request. Refused spans are a partial success: exporters do not repeat it."""
    count = len(received.refused) + len(received.forbidden)
    said = [f"{item.reason}: {item.detail}" for item in received.refused[:5]]
    said += [f"{item['code']}: {item['reason']}" for item in _forbidden(received)[:5]]
    reasons = "; ".join(dict.fromkeys(said))
    if named == OTLP_JSON:
        return JSONResponse({"partialSuccess": {"rejectedSpans": str(count), "errorMessage": reasons}} if count else {})
    answer = ExportTraceServiceResponse()
    if count:
        # ExportLogsServiceResponse has the same fields at the same numbers.
        answer.partial_success.rejected_spans = count
        answer.partial_success.error_message = reasons
    return Response(answer.SerializeToString(), media_type=named)


def _forbidden(received: Received) -> list[dict[str, Any]]:
    """`{"index", "code", "reason"}` for each; nothing that tells whether a tenant exists."""
    return [
        {"index": item.item, "code": item.reason, "reason": f"{field}: {_NOT_ALLOWED} {field.removesuffix('_id')}"}
        for item, field in zip(received.forbidden, received.forbidden_fields, strict=True)
    ]
