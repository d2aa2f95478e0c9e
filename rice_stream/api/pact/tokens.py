"""POST /pact/auth/token: client credentials (RFC 6749, section 4.4), of which ours are a token's id and the token."""

import base64
import binascii
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote_plus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from rice_stream.api.access.rights import Right
from rice_stream.api.pact.paths import TOKEN

_LASTS_S = 3_600
"""After that a client asks again; a token that was revoked meanwhile is refused at once."""
_BODY_MAX = 4_096
_NOT_KEPT = {"Cache-Control": "no-store"}


def install(app: FastAPI) -> None:
    """Add the route. The access token is the token itself: it is checked with each request, as everywhere."""

    @app.post(TOKEN, include_in_schema=False)
    async def _token(request: Request) -> JSONResponse:
        fields = await _fields(request)
        if fields is None or fields.get("grant_type") != "client_credentials":
            return _refused(HTTPStatus.BAD_REQUEST, "unsupported_grant_type", "grant_type: client_credentials")
        client_id, secret = _credentials(request.headers.get("authorization", ""))
        caller = await request.app.state.admission.bearer_of(secret)
        if caller is None or str(caller.token_id) != client_id or not caller.may(Right.READ):
            return _refused(HTTPStatus.UNAUTHORIZED, "invalid_client", "no token that may read has this id and secret")
        document = {"access_token": secret, "token_type": "Bearer", "expires_in": _LASTS_S}
        return JSONResponse(document, headers=_NOT_KEPT)


async def _fields(request: Request) -> dict[str, str] | None:
    """Those of the form; None: it is none, or too long."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _BODY_MAX:
            return None
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=20))
    except ValueError:
        return None


def _credentials(header: str) -> tuple[str, str]:
    """Of HTTP Basic, each written as in a form (RFC 6749, section 2.3.1); empty where there are none."""
    scheme, _, value = header.partition(" ")
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return "", ""
    client_id, _, secret = text.partition(":")
    return (unquote_plus(client_id), unquote_plus(secret)) if scheme.lower() == "basic" else ("", "")


def _refused(status: HTTPStatus, error: str, description: str) -> JSONResponse:
    headers = _NOT_KEPT | ({"WWW-Authenticate": "Basic"} if status == HTTPStatus.UNAUTHORIZED else {})
    return JSONResponse({"error": error, "error_description": description}, status_code=status, headers=headers)
