"""Bodies of writes: JSON of a declared shape, read within the limits of the server."""

import json
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from rice_stream.api.access.callers import Caller
from rice_stream.api.bodies import BodyReader, content_encoding, media_type
from rice_stream.api.parameters import NOT_STORABLE
from rice_stream.api.problems import ProblemError, invalid
from rice_stream.quantities import is_storable

_JSON = frozenset({"application/json"})
_NUL = b"\\u0000"


class Body(BaseModel):
    """The fields of a body. Another field is an error: a misspelled one would be left out without a word otherwise."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


B = TypeVar("B", bound=BaseModel)


class JsonBodies:
    """Reads bodies after the caller is known: nobody else's are looked at."""

    def __init__(self, limit_bytes: int) -> None:
        self._reader = BodyReader(limit_bytes)

    async def read(self, request: Request, caller: Caller, shape: type[B]) -> B:
        """The body. ProblemError: 413, 408, 415 as for events, 400 for what is no JSON, 422 for fields that are not right."""
        media_type(request, _JSON)
        packed = await self._reader.read(request, caller.share.held)
        body = self._reader.unpacked(packed, content_encoding(request))
        try:
            made = shape.model_validate_json(body)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False, include_input=False)
            if any(each["type"] == "json_invalid" for each in errors):
                raise ProblemError(HTTPStatus.BAD_REQUEST, "the body is no JSON", slug="invalid-json") from None
            raise invalid(errors, "body") from None
        # JSON has a NUL in this form alone, and the halves of surrogate pairs are no JSON.
        if _NUL in body:
            _check_storable(json.loads(body), ())
        return made


def _check_storable(value: object, place: tuple[int | str, ...]) -> None:
    """ProblemError 422: a text or a name has a NUL, which no database can hold."""
    if isinstance(value, str) and not is_storable(value):
        found: Any = {"loc": place, "type": "storable", "msg": NOT_STORABLE}
        raise invalid([found], "body")
    if isinstance(value, list):
        for number, each in enumerate(value):
            _check_storable(each, (*place, number))
    if isinstance(value, dict):
        for name, each in value.items():
            _check_storable(name, place)
            _check_storable(each, (*place, name))


def body_of(shape: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """What the OpenAPI document says of a body that `JsonBodies` reads."""
    schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}
