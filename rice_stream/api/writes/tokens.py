"""GET and POST /v1/tokens, POST /v1/tokens/{id}/rotate, DELETE /v1/tokens/{id}: who may use the server.

Nobody hands on more than they have. Tokens for tenants or teams beyond the caller's own are not there for that caller.
"""

import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.delegation import excess
from rice_stream.api.access.issuing import (
    LASTS_DAYS_MAX,
    OVERLAP_HOURS,
    OVERLAP_HOURS_MAX,
    AskedToken,
    IssuedToken,
    issue,
    rotate,
)
from rice_stream.api.access.rights import Grant, Right
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.pages import paged
from rice_stream.api.parameters import Name, Page, RowId
from rice_stream.api.problems import ProblemError
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.api.writes.idempotency import KEYED, once
from rice_stream.reports.tokens import described_revocation, described_token, token_page
from rice_stream.store.audit import Actor
from rice_stream.store.http_tokens import BeyondMakerError, TokenConflictError, revoke_token

_PATH = "/v1/tokens"
_NAMES_MAX = 1_000
_Manager = Annotated[Caller, Depends(needs(Right.MANAGE_TOKENS))]
_Role = Literal["admin", "editor", "reader", "auditor", "ingest"]
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    403: {"description": "It would allow more than the caller may do"},
    404: {"description": "There is no such token, or it is another's"},
    409: {
        "description": "The name is taken, the token has ended or been replaced, or the key's first request is worked on"
    },
}


class NewTokenBody(Body):
    """What a token is to allow."""

    name: Name
    role: _Role
    tenants: Literal["*"] | list[Name] = Field(
        "*", max_length=_NAMES_MAX, description="Tenants that it is for; `*`: every one"
    )
    teams: list[Name] = Field(
        default_factory=list, max_length=_NAMES_MAX, description="Teams; none: every team of them"
    )
    expires_days: float | None = Field(
        None,
        gt=0,
        le=LASTS_DAYS_MAX,
        description="90 where it is left out; for the role `ingest` it then never expires",
    )
    requests_per_s: float | None = Field(None, gt=0, le=1_000_000, description="On average; the server's own otherwise")
    concurrency: int | None = Field(None, ge=1, le=256, description="Requests at the same time; 64 otherwise")

    def asked(self) -> AskedToken:
        """The same for `issue`."""
        return AskedToken(
            self.name,
            self.role,
            None if self.tenants == "*" else frozenset(self.tenants),
            frozenset(self.teams),
            self.expires_days,
            self.requests_per_s,
            self.concurrency,
        )


class RotationBody(Body):
    """How the old token ends."""

    overlap_hours: float = Field(
        OVERLAP_HOURS, ge=0, le=OVERLAP_HOURS_MAX, description="How long it goes on; 0: not at all"
    )


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.get(_PATH, summary="Tokens, with the beginning of each; those that have ended as well", tags=["access"])
    async def _list(asked: Annotated[Page, Query()], caller: _Manager) -> dict[str, Any]:
        return await paged(product, caller, _PATH, asked, partial(_listed, product, caller, asked.limit))

    @app.post(
        _PATH,
        status_code=HTTPStatus.CREATED,
        summary="Make a token; its secret is in this answer only",
        tags=["access"],
        openapi_extra=body_of(NewTokenBody, {"name": "gateway-eu", "role": "ingest", "tenants": ["acme"]}) | KEYED,
        responses=_PROBLEMS,
    )
    async def _create(request: Request, caller: _Manager) -> JSONResponse:
        body = await product.bodies.read(request, caller, NewTokenBody)
        by = actor_of(caller, request)
        return await _shown_once(
            product, request, caller, body, partial(answer_new_token, product, caller, by, body.asked())
        )

    @app.post(
        f"{_PATH}/{{token_id}}/rotate",
        status_code=HTTPStatus.CREATED,
        summary="Make a token in the place of another, which goes on for a while",
        tags=["access"],
        openapi_extra=body_of(RotationBody, {"overlap_hours": 24}) | KEYED,
        responses=_PROBLEMS,
    )
    async def _rotate(token_id: RowId, request: Request, caller: _Manager) -> JSONResponse:
        body = await product.bodies.read(request, caller, RotationBody)
        by = actor_of(caller, request)
        made = partial(answer_rotation, product, caller, by, token_id, body.overlap_hours)
        return await _shown_once(product, request, caller, body, made)

    @app.delete(
        f"{_PATH}/{{token_id}}",
        summary="End a token, and those that were made with it",
        tags=["access"],
        responses=_PROBLEMS,
    )
    async def _revoke(token_id: RowId, request: Request, caller: _Manager) -> dict[str, Any]:
        return await product.ask(answer_revocation, product, caller, actor_of(caller, request), token_id)


def _listed(product: Product, caller: Caller, limit: int, after: bytes | None) -> dict[str, Any]:
    return token_page(product.engine(), caller.scope(Right.MANAGE_TOKENS), after=after, limit=limit)


async def _shown_once(
    product: Product, request: Request, caller: Caller, body: Body, made: Callable[[], dict[str, Any]]
) -> JSONResponse:
    """The answer with the secret; where the same request comes again under its Idempotency-Key, without it."""
    answer = await once(product, request, caller, body, partial(product.ask, made), secrets=frozenset({"token"}))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def answer_new_token(product: Product, caller: Caller, by: Actor, asked: AskedToken) -> dict[str, Any]:
    """What `POST /v1/tokens` does and answers: the one time that the secret is known.

    ProblemError, UsageError: it asks for more than the caller may do, or for what no token may be.
    """
    beyond = excess(caller.grant(Right.MANAGE_TOKENS), Grant(asked.role, asked.tenants, asked.teams))
    if beyond is not None:
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            f"{beyond}: a token allows nothing that you may not do yourself; ask for less",
            slug="beyond-your-rights",
        )
    asked.check()
    try:
        made = issue(product.engine(), asked, caller.scope(Right.MANAGE_TOKENS), by)
    except TokenConflictError as error:
        raise _conflict(error) from error
    except BeyondMakerError as error:
        raise ProblemError(HTTPStatus.FORBIDDEN, str(error), slug="beyond-your-rights") from error
    return _issued(made)


def answer_rotation(product: Product, caller: Caller, by: Actor, token_id: int, overlap_hours: float) -> dict[str, Any]:
    """What `POST /v1/tokens/{id}/rotate` does and answers, with the new secret."""
    scope = caller.scope(Right.MANAGE_TOKENS)
    try:
        made = rotate(product.engine(), token_id, scope, by, overlap_hours=overlap_hours)
    except TokenConflictError as error:
        raise _conflict(error) from error
    return _issued(made)


def answer_revocation(product: Product, caller: Caller, by: Actor, token_id: int) -> dict[str, Any]:
    """What `DELETE /v1/tokens/{id}` does and answers."""
    revoked = revoke_token(product.engine(), token_id, caller.scope(Right.MANAGE_TOKENS), by)
    return described_revocation(revoked, time.time_ns() // 1000)


def _issued(issued: IssuedToken) -> dict[str, Any]:
    document = {"token": issued.secret, **described_token(issued.token, time.time_ns() // 1000)}
    if issued.warning is not None:
        document["warning"] = issued.warning
    return document


def _conflict(error: TokenConflictError) -> ProblemError:
    return ProblemError(HTTPStatus.CONFLICT, str(error))
