"""Idempotency-Key: a POST that is sent again, because its answer was lost, is answered as the first time and not done twice."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from rice_stream.api.access.actors import IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_LENGTH_MAX
from rice_stream.api.access.callers import Caller
from rice_stream.api.problems import ProblemError, later
from rice_stream.api.product import Product
from rice_stream.store.idempotency import Answered, Claim, KeyedRequest, claim, settle

_RETRY_AFTER_S = 2
KEYED: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_LENGTH_MAX},
            "description": "Sent again with the same key within a day, it is answered as the first time and not done twice",
        }
    ]
}
"""What the document says of a route that calls `once`."""
KEY_PROBLEMS: dict[int | str, dict[str, Any]] = {
    409: {"description": "There is such a thing already, or the first request with the key is still being worked on"}
}


async def once(
    product: Product,
    request: Request,
    caller: Caller,
    body: BaseModel,
    work: Callable[[], Awaitable[dict[str, Any]]],
    *,
    secrets: frozenset[str] = frozenset(),
    status: HTTPStatus = HTTPStatus.CREATED,
) -> JSONResponse:
    """The answer (201, or another `status`) of `work`, which creates something; where the request has a key, done once for a day.

    Fields named as `secrets` are shown the first time only, and never kept.

    ProblemError 409: the first request is still being worked on; 422: the key was used for another one; 400: it is no key.
    """
    given = _keyed(request, caller, body)
    if given is None:
        return JSONResponse(await work(), status_code=status)
    before = await product.ask(claim, product.engine(), given)
    if isinstance(before, Answered):
        headers = {"Idempotency-Replayed": "true"}
        return JSONResponse(json.loads(before.answer), status_code=before.status, headers=headers)
    if before is Claim.WORKED_ON:
        raise later(
            HTTPStatus.CONFLICT, "Idempotency-Key: the first request with it is still being worked on", _RETRY_AFTER_S
        )
    if before is Claim.ANOTHER_REQUEST:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "Idempotency-Key: it was used for another request; a new request needs a new key",
            slug="idempotency-key-reused",
        )
    answered: Answered | None = None
    try:
        document = await work()
        kept = {name: value for name, value in document.items() if name not in secrets}
        answered = Answered(status, json.dumps(kept))
    finally:
        await product.ask(settle, product.engine(), given, answered)
    return JSONResponse(document, status_code=status)


def _keyed(request: Request, caller: Caller, body: BaseModel) -> KeyedRequest | None:
    keys = request.headers.getlist(IDEMPOTENCY_KEY)
    if not keys:
        return None
    key = keys[0].strip()
    if len(keys) > 1 or not key or not key.isprintable() or len(key) > IDEMPOTENCY_KEY_LENGTH_MAX:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST,
            f"Idempotency-Key: give one, of 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} printable characters",
        )
    asked = json.dumps([request.method, request.scope["path"], body.model_dump(mode="json")], sort_keys=True)
    return KeyedRequest(caller.name, key, hashlib.sha256(asked.encode()).digest())
