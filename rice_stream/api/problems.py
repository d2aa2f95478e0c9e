"""Errors as RFC 9457 problem details: one shape for every status, and nothing of the request's content in it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """Ends a request with this status. `detail` says what to do; `more` are further members of the answer."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def later(status: HTTPStatus, detail: str, retry_after_s: int) -> ProblemError:
    """A problem that goes away by itself: the sender is told when to come back."""
    return ProblemError(status, detail, headers={"Retry-After": str(retry_after_s)})


def too_many(found: str) -> ProblemError:
    """413: a body that holds too much."""
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has {found}; send it in parts")


def response(problem: ProblemError) -> JSONResponse:
    """The problem on the wire."""
    document = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": int(problem.status),
        "detail": problem.detail,
        **problem.more,
    }
    return JSONResponse(document, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer with problem details wherever a request fails, also for paths and methods that do not exist."""

    @app.exception_handler(ProblemError)
    async def _ours(_request: Request, error: ProblemError) -> JSONResponse:
        return response(error)

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
        """The log has it; an answer never says what went wrong within."""
        return response(ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "an error of the server; its log says more"))

    @app.exception_handler(HTTPException)
    async def _frameworks(_request: Request, error: HTTPException) -> JSONResponse:
        return response(ProblemError(HTTPStatus(error.status_code), str(error.detail), headers=error.headers))
