"""Request bodies: read up to a limit, unpacked up to the same limit. A small body may unpack to a huge one."""

import zlib
from http import HTTPStatus

from fastapi import Request

from rice_stream.api.problems import ProblemError

JSON_TYPES = frozenset(
    {
        "application/json",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    }
)
PROTOBUF_TYPES = frozenset({"application/x-protobuf", "application/protobuf"})
_UNPACK = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


def media_type(request: Request, allowed: frozenset[str]) -> str:
    """The body's media type without parameters. ProblemError 415: it is none of `allowed`.

    A browser sends these types to another site only where that allows it: no page can post to a loopback port.
    """
    named = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if named not in allowed:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content-type: {named or 'none'} is not {', '.join(sorted(allowed))}"
        )
    return named


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body, unpacked. ProblemError 413: larger than the limit; 415: packed otherwise; 400: cut or empty."""
    too_large = ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {limit_bytes:,} bytes; send it in parts"
    )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise too_large
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > limit_bytes:
            raise too_large
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    body = bytes(pieces) if encoding == "identity" else _unpacked(bytes(pieces), encoding, limit_bytes, too_large)
    if not body.strip():
        raise ProblemError(HTTPStatus.BAD_REQUEST, "the body is empty")
    return body


def _unpacked(packed: bytes, encoding: str, limit_bytes: int, too_large: ProblemError) -> bytes:
    if encoding not in _UNPACK:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content-encoding: {encoding} is not gzip or deflate")
    unpacker = zlib.decompressobj(wbits=_UNPACK[encoding])
    try:
        body = unpacker.decompress(packed, limit_bytes + 1)
    except zlib.error as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"the body is not {encoding}: {error}") from error
    if len(body) > limit_bytes:
        raise too_large
    if not unpacker.eof:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"the {encoding} body is cut short")
    return body
