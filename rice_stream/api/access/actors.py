"""Callers as the audit trail names them."""

from fastapi import Request

from rice_stream.api.access.callers import Caller
from rice_stream.store.audit import Actor

IDEMPOTENCY_KEY = "idempotency-key"
IDEMPOTENCY_KEY_LENGTH_MAX = 255


def actor_of(caller: Caller, request: Request) -> Actor:
    """Whoever makes a change with this request; its `Idempotency-Key` is what the caller knows it by."""
    given = request.headers.get(IDEMPOTENCY_KEY, "").strip()
    request_id = given if given.isprintable() and len(given) <= IDEMPOTENCY_KEY_LENGTH_MAX else ""
    signed_in = caller.kind in ("session", "oidc")
    return Actor("session" if signed_in else "token", caller.name, caller.token_id, request_id or None)
