"""Forms of pages with a file: multipart bodies (RFC 7578) as browsers send them, read within a limit. Nothing is kept on disk."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from rice_stream.api.access.callers import Caller
from rice_stream.api.bodies import BodyReader, media_type
from rice_stream.api.console.forms import PageForm, parsed
from rice_stream.api.problems import ProblemError

_TYPES = frozenset({"multipart/form-data"})
_PARTS_MAX = 30
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
        for part in parts(body, request.headers.get("content-type", "")):
            if part.is_file:
                file = part.content or file
                continue
            try:
                pairs.append((part.name, part.content.decode()))
            except UnicodeDecodeError as error:
                raise _no_form() from error
        return parsed(shape, pairs), file


def parts(body: bytes, content_type: str) -> list[FormPart]:
    """The parts of a body of this type. ProblemError 400: it is none, is cut off, or has too many."""
    _, options = parse_options_header(content_type)
    found = _Found()
    try:
        parser = MultipartParser(options.get(b"boundary", b""), found.callbacks)
        parser.write(body)
        parser.finalize()
    except (FormParserError, _NoFormError) as error:
        raise _no_form() from error
    if not found.has_ended or not found.parts:
        raise _no_form()
    return found.parts


class _NoFormError(Exception):
    """A part has no name, or is one too many."""


class _Found:
    """What the parser comes upon."""

    def __init__(self) -> None:
        self.parts: list[FormPart] = []
        self.has_ended = False
        self._field, self._value, self._content = bytearray(), bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}

    @property
    def callbacks(self) -> Any:
        """As the parser takes them."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": _to(self._field),
            "on_header_value": _to(self._value),
            "on_header_end": self._end_header,
            "on_part_data": _to(self._content),
            "on_part_end": self._end,
            "on_end": self._end_all,
        }

    def _begin(self) -> None:
        self._headers.clear()
        self._content.clear()
        if len(self.parts) == _PARTS_MAX:
            raise _NoFormError

    def _end_header(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _end(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise _NoFormError
        name = options[b"name"].decode(errors="replace")
        self.parts.append(FormPart(name, b"filename" in options, bytes(self._content)))

    def _end_all(self) -> None:
        self.has_ended = True


def _to(gathered: bytearray) -> Callable[[bytes, int, int], None]:
    def take(data: bytes, start: int, end: int) -> None:
        gathered.extend(memoryview(data)[start:end])

    return take


def _no_form() -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, "the body is no form with a file")
