"""Bodies of writes: JSON of a declared shape, read within the limits of the server."""

from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from rice_stream.api.access.callers import Caller
from rice_stream.api.bodies import BodyReader, content_encoding, media_type
from rice_stream.api.problems import ProblemError, invalid

_JSON = frozenset({"application/json"})


class Body(BaseModel):
    """The fields of a body. Another field is an error: a misspelled one would be left out without a word otherwise."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


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
            return shape.model_validate_json(body)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False, include_input=False)
            if any(each["type"] == "json_invalid" for each in errors):
                raise ProblemError(HTTPStatus.BAD_REQUEST, "the body is no JSON", slug="invalid-json") from None
            raise invalid(errors, "body") from None


def body_of(shape: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """What the OpenAPI document says of a body that `JsonBodies` reads."""
    schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}
