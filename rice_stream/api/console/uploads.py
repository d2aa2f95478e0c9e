"""Forms of pages with a file: multipart bodies (RFC 7578) as browsers send them, read within a limit. Nothing is kept on disk."""

import re
from collections.abc import Iterator
from email.message import Message
from http import HTTPStatus
from typing import NamedTuple, TypeVar

from fastapi import Request

from rice_stream.api.access.callers import Caller
from rice_stream.api.bodies import BodyReader, media_type
from rice_stream.api.console.forms import PageForm, parsed
from rice_stream.api.problems import ProblemError

_TYPES = frozenset({"multipart/form-data"})
_PARTS_MAX = 30
_NAMED = re.compile(
    rb'(?i)^content-disposition:[ ]*form-data;[ ]*name="([^"\r\n]*)"(;[ ]*filename="[^"\r\n]*")?[ ]*$', re.M
)
F = TypeVar("F", bound=PageForm)


class FormPart(NamedTuple):
    """One field, or the file."""

    name: str
    is_file: bool
    content: bytes


class Uploads:
    """Reads them, after the caller is known."""

    def __init__(self, limit_bytes: int) -> None:
        self._reader = BodyReader(limit_bytes)

    async def read(self, request: Request, caller: Caller, shape: type[F]) -> tuple[F, bytes | None]:
        """What was filled in, and what is in the file; None: none was chosen.

        ProblemError: 413, 408, 415, 400 as for any body; 422 for fields that are not right.
        """
        media_type(request, _TYPES)
        body = await self._reader.read(request, caller.share.held)
        file: bytes | None = None
        pairs: list[tuple[str, str]] = []
        for part in parts(body, _boundary(request)):
            if part.is_file:
                file = part.content or file
                continue
            try:
                pairs.append((part.name, part.content.decode()))
            except UnicodeDecodeError as error:
                raise _no_form() from error
        return parsed(shape, pairs), file


def parts(body: bytes, boundary: bytes) -> Iterator[FormPart]:
    """The parts of a body. ProblemError 400: it is none, or has too many."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, _PARTS_MAX + 2)
    if len(pieces) < 2 or pieces[0] or pieces[-1].rstrip() != b"--" or len(pieces) > _PARTS_MAX + 1:
        raise _no_form()
    for piece in pieces[1:-1]:
        head, found, content = piece.partition(b"\r\n\r\n")
        named = _NAMED.search(head.replace(b"\r\n", b"\n"))
        if not found or not head.startswith(b"\r\n") or named is None:
            raise _no_form()
        yield FormPart(named[1].decode(errors="replace"), named[2] is not None, content)


def _boundary(request: Request) -> bytes:
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not re.fullmatch(r"[\w'()+,./:=? -]{1,70}", boundary, re.ASCII):
        raise _no_form()
    return boundary.encode()


def _no_form() -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, "the body is no form with a file")
