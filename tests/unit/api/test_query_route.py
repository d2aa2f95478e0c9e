"""Queries are read in one pass, and what comes of them is what FastAPI makes of them."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.api.parameters import Parameters
from rice_stream.api.query_route import QueryRoute, given_in, is_list_of, is_one_model
from tests.unit.api.conftest import Door

VALUES = ("", "1", "2", "acme", "true", "24h", "2026-11-29", "json", "a,b", "\0", "é")
OTHER = {"/auth/sign-in", "/auth/link", "/v1/audit/{entry_id}/proof", "/v1/stream"}
"""Whose query is no model, or comes with a header or a number in the path."""


def described(app: FastAPI) -> dict[str, Dependant]:
    """What each route with a query declares, by its path."""
    routes = [route for route in app.routes if isinstance(route, APIRoute) and route.dependant.query_params]
    assert all(type(route) is QueryRoute for route in routes)
    return {route.path: route.dependant for route in routes}


@pytest.fixture(scope="module")
def queries() -> dict[str, Dependant]:
    """Those of all routes whose query is one model."""
    return {path: each for path, each in described(Door().app).items() if is_one_model(each)}


def test_the_others_are_known(door: Callable[..., Door]) -> None:
    """A route that is not read in one pass is one that cannot be."""
    assert {path for path, each in described(door().app).items() if not is_one_model(each)} == OTHER


@given(st.data())
def test_a_query_is_read_as_fastapi_reads_it(queries: dict[str, Dependant], data: st.DataObject) -> None:
    """Names given several times, names that nothing is called, and values that are refused: the same model, or the same errors."""
    (query,) = queries[data.draw(st.sampled_from(sorted(queries)))].query_params
    model: Any = query.field_info.annotation
    assert issubclass(model, Parameters)
    names = [*(field.alias or name for name, field in model.model_fields.items()), "from_", "nothing", "Tenant"]
    sent = data.draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(VALUES)), max_size=6))
    request = Request({"type": "http", "query_string": urlencode(sent).encode(), "headers": []})

    theirs, their_errors = request_params_to_args([query], request.query_params)
    ours, our_errors = query.validate(given_in(request, is_list_of(model)), {}, loc=("query",))
    assert (theirs.get(query.name), told(their_errors)) == (None if our_errors else ours, told(our_errors))


def told(errors: list[Any]) -> list[dict[str, Any]]:
    """Without the exceptions themselves, of which each is another one."""
    return [{name: value for name, value in error.items() if name != "ctx"} for error in errors]
