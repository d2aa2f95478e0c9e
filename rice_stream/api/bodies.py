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
_PIECE_BYTES = 2_048
_MEMBERS_MAX = 10_000
"""Members of one gzip body: an appending logger writes one a line."""
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
    """All members of a gzip body, one after another (RFC 1952, 2.2), or the one stream of a deflate body."""
    if encoding not in _UNPACK:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content-encoding: {encoding} is not gzip or deflate")
    body = bytearray()
    at = _unpack_member(packed, 0, body, encoding, limit_bytes, too_large)
    members = 1
    while at < len(packed):
        if encoding != "gzip":
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"the {encoding} body goes on after its end")
        if members == _MEMBERS_MAX:
            raise ProblemError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body has more than {_MEMBERS_MAX:,} gzip members; send it in parts",
            )
        at = _unpack_member(packed, at, body, encoding, limit_bytes, too_large)
        members += 1
    return bytes(body)


def _unpack_member(
    packed: bytes, at: int, body: bytearray, encoding: str, limit_bytes: int, too_large: ProblemError
) -> int:
    """Append what the member at `at` holds to `body`; returns where the next one begins."""
    unpacker = zlib.decompressobj(wbits=_UNPACK[encoding])
    while not unpacker.eof:
        # In small pieces: at its end a member copies what is left of its piece, which must not be the whole rest.
        piece = packed[at : at + _PIECE_BYTES]
        if not piece:
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"the {encoding} body is cut short")
        try:
            body += unpacker.decompress(piece, limit_bytes + 1 - len(body))
        except zlib.error as error:
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"the body is not {encoding}: {error}") from error
        if len(body) > limit_bytes:
            raise too_large
        at += len(piece) - len(unpacker.unused_data)
    return at
