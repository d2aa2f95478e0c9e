"""Routes whose query parameters are one model, read in one pass over what was sent.

FastAPI looks for every field of the model in the query, and works out anew each time what kind of field it is: that takes as long
as the rest of what it does for a request. What is accepted, how it is refused and what the document says are FastAPI's.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import wraps
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from rice_stream.api.parameters import Parameters

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_REQUEST = "request_with_query"


class QueryRoute(APIRoute):
    """A route as FastAPI makes it, but for how it reads such a query."""

    def get_route_handler(self) -> _Handler:
        """What answers a request."""
        described = self.dependant
        if not is_one_model(described):
            return super().get_route_handler()
        # The document is made of what is described; only what answers knows the other one.
        self.dependant = _reading_itself(described)
        try:
            return super().get_route_handler()
        finally:
            self.dependant = described


def is_one_model(described: Dependant) -> bool:
    """Whether the query is one model, beside nothing else that could be refused together with it."""
    others = [*described.header_params, *described.cookie_params, *described.body_params]
    return (
        len(described.query_params) == 1
        and _model_of(described) is not None
        and not others
        and all(path.field_info.annotation is str for path in described.path_params)
    )


def _model_of(described: Dependant) -> type[Parameters] | None:
    annotation = described.query_params[0].field_info.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, Parameters) else None


def _reading_itself(described: Dependant) -> Dependant:
    """The same without the query, which the route's function gets as before."""
    (query,), answer, model = described.query_params, described.call, _model_of(described)
    if answer is None or model is None:
        raise AssertionError("a route without a function, or without a model")
    is_list = is_list_of(model)
    name, asked = described.request_param_name or _REQUEST, query.name

    @wraps(answer)
    async def read_and_answered(**values: Any) -> Any:
        request: Request = values[name] if described.request_param_name else values.pop(name)
        values[asked], errors = query.validate(given_in(request, is_list), {}, loc=("query",))
        if errors:
            raise RequestValidationError(errors)
        answered: Awaitable[Any] = answer(**values)
        return await answered

    return replace(described, query_params=[], request_param_name=name, call=read_and_answered)


def is_list_of(model: type[Parameters]) -> dict[str, bool]:
    """Which fields may be given several times, by the names that are sent."""
    return {
        field.alias or name: getattr(field.annotation, "__origin__", None) is list
        for name, field in model.model_fields.items()
    }


def given_in(request: Request, is_list: dict[str, bool]) -> dict[str, Any]:
    """What was sent, by name: of a field the latest value, of a list all; what no field is called comes last, to be refused."""
    given: dict[str, Any] = {}
    unknown: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        kind = is_list.get(name)
        if kind is None:
            unknown.setdefault(name, []).append(value)
        elif kind:
            given.setdefault(name, []).append(value)
        else:
            given[name] = value
    return {**given, **{name: values if len(values) > 1 else values[0] for name, values in unknown.items()}}
