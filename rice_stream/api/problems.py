"""Errors as RFC 9457 problem details: one shape for every status, and nothing of the request's content in it."""

import logging
import re
import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from rice_stream.errors import DamagedArchiveError, NotFoundError, RiceError, ServiceUnavailableError, UsageError
from rice_stream.store.engine import StoreSlowError
from rice_stream.store.revisions import SchemaChangedError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = 5
_NO_DATABASE = "the database does not answer now; come back in some seconds. Events are taken meanwhile"
_OTHER_SCHEMA = (
    "the database is not of this version: the server's log says what to do; come back then. Events are taken meanwhile"
)
_TOO_SLOW = "it took the database too long now; come back in some seconds, or ask for less at a time. Events are taken meanwhile"
_PUT_BACK = (
    "whoever runs the server has to put it back from a backup; its log says more under the number of this incident"
)
_OPTION = re.compile(r"--([a-z][a-z0-9-]*)")
_COMMAND_HINT = re.compile(r"[;,] (?:see|with|use|make one with) `rice-stream [^`]*`(?: and `[^`]*`(?: \([^)]*\))?)?")
_COMMAND = re.compile(r"(`rice-stream [^`]*`)")


ProblemShape = Callable[["ProblemError"], Response]
ProblemPage = Callable[[Request, "ProblemError"], Response | None]
"""Answers browsers that were to be shown a page; None: whoever asks is none of these."""


class ProblemError(Exception):
    """Ends a request with this status. `detail` says what to do; `more` are further members of the answer."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
        slug: str | None = None,
    ) -> None:
        """`slug`: the kind of problem, where the status alone does not say it."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = dict(more or {})
        self.slug = slug or slug_of(status)


def slug_of(status: HTTPStatus) -> str:
    """The kind of problem that a status stands for by itself: `not-found`, say."""
    return status.phrase.lower().replace(" ", "-").replace("'", "")


def later(status: HTTPStatus, detail: str, retry_after_s: int, *, slug: str | None = None) -> ProblemError:
    """A problem that goes away by itself: the sender is told when to come back."""
    return ProblemError(status, detail, headers={"Retry-After": str(retry_after_s)}, slug=slug)


def too_many(found: str) -> ProblemError:
    """413: a body that holds too much."""
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has {found}; send it in parts")


def not_found(detail: str = "there is nothing here that you may see") -> ProblemError:
    """404: not there, or another's."""
    return ProblemError(HTTPStatus.NOT_FOUND, detail)


def invalid(errors: list[ErrorDetails], source: str) -> ProblemError:
    """422 for what a model refused: each field, the rule that it breaks, and what is wrong. `source`: `body` or `query`."""
    parameters = [
        {
            "field": ".".join(str(part) for part in error["loc"]) or source,
            "rule": error["type"],
            "reason": error["msg"],
            "source": source,
        }
        for error in errors
    ]
    named = "; ".join(f"{each['field']}: {each['reason']}" for each in parameters[:5])
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY, named, more={"invalid_parameters": parameters}, slug="invalid-parameters"
    )


def problem_of(error: RiceError) -> ProblemError:
    """An error of ours as a caller is told of it: names of fields instead of options, and no command to run."""
    if isinstance(error, ServiceUnavailableError | SchemaChangedError):
        log.warning("answered 503: %s", error)
        if isinstance(error, StoreSlowError):
            return later(HTTPStatus.SERVICE_UNAVAILABLE, _TOO_SLOW, _RETRY_AFTER_S, slug="took-too-long")
        detail = _OTHER_SCHEMA if isinstance(error, SchemaChangedError) else _NO_DATABASE
        return later(HTTPStatus.SERVICE_UNAVAILABLE, detail, _RETRY_AFTER_S)
    if isinstance(error, NotFoundError):
        return not_found(_as_field(str(error)))
    if isinstance(error, UsageError):
        return ProblemError(HTTPStatus.BAD_REQUEST, _as_field(str(error)), slug="invalid-request")
    if isinstance(error, DamagedArchiveError):
        detail = f"{error.file} of the archive is missing or damaged: {_PUT_BACK}"
        return _incident(error, detail, slug="archive-damaged")
    return _incident(error)


def response(problem: ProblemError) -> JSONResponse:
    """The problem on the wire."""
    document = {
        "type": f"/problems/{problem.slug}",
        "title": problem.status.phrase,
        "status": int(problem.status),
        "detail": problem.detail,
        **problem.more,
    }
    return JSONResponse(document, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer with problem details wherever a request fails, also for paths and methods that do not exist.

    `app.state.problem_page`, where it is set, may answer instead: browsers in front of a page get a page.
    """

    @app.exception_handler(ProblemError)
    async def _ours(request: Request, error: ProblemError) -> Response:
        return _answer(request, error)

    @app.exception_handler(RiceError)
    async def _told(request: Request, error: RiceError) -> Response:
        return _answer(request, problem_of(error))

    @app.exception_handler(RequestValidationError)
    async def _refused(request: Request, error: RequestValidationError) -> Response:
        # The first part of each place is where it was looked for: query, path, header.
        errors = [{**each, "loc": each["loc"][1:]} for each in error.errors()]
        source = str(error.errors()[0]["loc"][0]) if error.errors() else "query"
        return _answer(request, invalid(errors, source))  # type: ignore[arg-type]  # FastAPI has no type for them

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> Response:
        return _answer(request, _incident(error))

    @app.exception_handler(HTTPException)
    async def _frameworks(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        return _answer(request, ProblemError(status, str(error.detail), headers=error.headers))


def _answer(request: Request, problem: ProblemError) -> Response:
    # Beneath some paths problems have the shape of a specification that is not ours.
    shapes: Mapping[str, ProblemShape] = getattr(request.app.state, "problem_shapes", {})
    for beginning, shape in shapes.items():
        if request.scope["path"].startswith(beginning):
            return shape(problem)
    page: ProblemPage | None = getattr(request.app.state, "problem_page", None)
    return (page and page(request, problem)) or response(problem)


def _incident(
    error: Exception,
    detail: str = "an error of the server; its log says more under the number of this incident",
    *,
    slug: str | None = None,
) -> ProblemError:
    """500: the log has the error under the number that the caller is told; an answer never says what went wrong within."""
    incident = secrets.token_hex(8)
    log.error("incident %s", incident, exc_info=error)
    return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, detail, more={"incident": incident}, slug=slug)


def _as_field(message: str) -> str:
    """A command that stays has its options: whoever is told of it may run it."""
    parts = _COMMAND.split(_COMMAND_HINT.sub("", message))
    return "".join(part if number % 2 else _named(part) for number, part in enumerate(parts))


def _named(words: str) -> str:
    return _OPTION.sub(lambda found: found[1].replace("-", "_"), words)
