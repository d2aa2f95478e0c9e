"""Request bodies: read up to a limit, unpacked up to the same limit. A small body may unpack to a huge one."""

import asyncio
import zlib
from collections.abc import Callable
from http import HTTPStatus

from fastapi import Request
from starlette.requests import ClientDisconnect

from rice_stream.api.problems import ProblemError, later

PATIENCE_S = 10.0
SLOWEST_BYTES_PER_S = 50_000
"""A body has so long to arrive, and a second more for each so many bytes of it that are here."""
HELD_BYTES_MAX = 268_435_456
"""Bytes of bodies that are not complete yet, of all requests together."""

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

    A browser sends these types to another site only where that allows it, so no page can post to a loopback port under
    that port's own name; under the page's name `check_host` refuses it.
    """
    named = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if named not in allowed:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content-type: {named or 'none'} is not {', '.join(sorted(allowed))}"
        )
    return named


class HeldBytes:
    """Bytes of bodies that are not complete yet, and the most that there may be."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._now = 0

    def add(self, count: int) -> None:
        """Count more, or with a negative number fewer."""
        self._now += count

    def check(self) -> None:
        """ProblemError 429: more than there may be."""
        if self._now > self._most():
            raise later(HTTPStatus.TOO_MANY_REQUESTS, "too much is being sent at once", 1)


class BodyReader:
    """Reads the bodies of all requests: each up to `limit_bytes`, all that are under way up to HELD_BYTES_MAX."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held = HeldBytes(lambda: HELD_BYTES_MAX)

    async def read(self, request: Request, own: HeldBytes) -> bytes:
        """The body as it was sent; `own` are the sender's bytes.

        ProblemError 413: larger than the limit; 408: it arrives too slowly; 429: no room now.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._limit_bytes:
            raise _too_large(self._limit_bytes)
        pieces = bytearray()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            async with asyncio.timeout_at(began_s + PATIENCE_S) as deadline:
                async for piece in request.stream():
                    pieces += piece
                    self._held.add(len(piece))
                    own.add(len(piece))
                    if len(pieces) > self._limit_bytes:
                        raise _too_large(self._limit_bytes)
                    self._held.check()
                    own.check()
                    deadline.reschedule(began_s + PATIENCE_S + len(pieces) / SLOWEST_BYTES_PER_S)
        except TimeoutError as error:
            raise ProblemError(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the body came too slowly: {PATIENCE_S:g} s, and a second more for each {SLOWEST_BYTES_PER_S:,} bytes",
                headers={"Connection": "close"},
            ) from error
        except ClientDisconnect as error:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "the sender went away within the body") from error
        finally:
            self._held.add(-len(pieces))
            own.add(-len(pieces))
        return bytes(pieces)

    def unpacked(self, packed: bytes, encoding: str) -> bytes:
        """What the body says. ProblemError 413: larger than the limit; 415: packed otherwise; 400: cut or empty."""
        body = packed if encoding == "identity" else _unpacked(packed, encoding, self._limit_bytes)
        if not body.strip():
            raise ProblemError(HTTPStatus.BAD_REQUEST, "the body is empty")
        return body


def _too_large(limit_bytes: int) -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {limit_bytes:,} bytes; send it in parts"
    )


def content_encoding(request: Request) -> str:
    """How the body is packed, `identity` where it is not."""
    return request.headers.get("content-encoding", "identity").strip().lower()


def _unpacked(packed: bytes, encoding: str, limit_bytes: int) -> bytes:
    """All members of a gzip body, one after another (RFC 1952, 2.2), or the one stream of a deflate body."""
    if encoding not in _UNPACK:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content-encoding: {encoding} is not gzip or deflate")
    body = bytearray()
    at = _unpack_member(packed, 0, body, encoding, limit_bytes)
    members = 1
    while at < len(packed):
        if encoding != "gzip":
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"the {encoding} body goes on after its end")
        if members == _MEMBERS_MAX:
            raise ProblemError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body has more than {_MEMBERS_MAX:,} gzip members; send it in parts",
            )
        at = _unpack_member(packed, at, body, encoding, limit_bytes)
        members += 1
    return bytes(body)


def _unpack_member(packed: bytes, at: int, body: bytearray, encoding: str, limit_bytes: int) -> int:
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
            raise _too_large(limit_bytes)
        at += len(piece) - len(unpacker.unused_data)
    return at
