"""Problems as PACT 3 has them: `{"code", "message"}`."""

from http import HTTPStatus

from fastapi.responses import JSONResponse

from rice_stream.api.problems import ProblemError

_CODES = {
    HTTPStatus.BAD_REQUEST: (HTTPStatus.BAD_REQUEST, "BadRequest"),
    # A token that is none is a request that is not right: so the published cases have it.
    HTTPStatus.UNAUTHORIZED: (HTTPStatus.BAD_REQUEST, "BadRequest"),
    HTTPStatus.UNPROCESSABLE_ENTITY: (HTTPStatus.BAD_REQUEST, "BadRequest"),
    HTTPStatus.FORBIDDEN: (HTTPStatus.FORBIDDEN, "AccessDenied"),
    HTTPStatus.NOT_FOUND: (HTTPStatus.NOT_FOUND, "NotFound"),
    HTTPStatus.NOT_IMPLEMENTED: (HTTPStatus.BAD_REQUEST, "NotImplemented"),
}


def answer_problem(problem: ProblemError) -> JSONResponse:
    """A problem of ours on PACT's wire; of another status the code is `InternalError`."""
    status, code = _CODES.get(problem.status, (problem.status, "InternalError"))
    document = {"code": code, "message": problem.detail}
    return JSONResponse(document, status_code=status, headers=problem.headers)
