"""Forms of pages: bodies as browsers send them, of a declared shape, read within the limits of the server."""

from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from rice_stream.api.access.callers import Caller
from rice_stream.api.bodies import BodyReader, media_type
from rice_stream.api.problems import ProblemError, invalid

_TYPES = frozenset({"application/x-www-form-urlencoded"})
_BYTES_MAX = 65_536
_FIELDS_MAX = 2_000


def _none_where_empty(value: object) -> object:
    return None if value == "" else value


Blank = BeforeValidator(_none_where_empty)
"""`Annotated[X | None, Blank]`: browsers send fields that nobody filled in as empty ones."""


class PageForm(BaseModel):
    """The fields of a form. Another field is an error; a list takes a name that is given several times."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, defer_build=True)


F = TypeVar("F", bound=PageForm)


class Forms:
    """Reads them, after the caller is known."""

    def __init__(self) -> None:
        self._reader = BodyReader(_BYTES_MAX)

    async def read(self, request: Request, caller: Caller, shape: type[F]) -> F:
        """What was filled in. ProblemError: 413, 408, 415, 400 as for any body; 422 for fields that are not right."""
        media_type(request, _TYPES)
        body = await self._reader.read(request, caller.share.held)
        try:
            pairs = parse_qsl(
                body.decode(),
                keep_blank_values=True,
                strict_parsing=bool(body),
                max_num_fields=_FIELDS_MAX,
                errors="strict",
            )
        except ValueError as error:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "the body is no form") from error
        return parsed(shape, pairs)


def parsed(shape: type[F], pairs: list[tuple[str, str]]) -> F:
    """The form of these fields. ProblemError 422: one is not right, unknown, or given twice though it is no list."""
    lists = {name for name, field in shape.model_fields.items() if _is_list(field.annotation)}
    given: dict[str, Any] = {name: [] for name in lists}
    for name, value in pairs:
        if name in lists:
            given[name].append(value)
        elif name in given:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name}: given twice", slug="invalid-parameters")
        else:
            given[name] = value
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_context=False, include_input=False), "body") from None


def _is_list(annotation: object) -> bool:
    return getattr(annotation, "__origin__", None) is list


Text = Annotated[str | None, Blank]
"""A field that may be left empty."""
