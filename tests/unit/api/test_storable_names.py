"""Names that no database can hold are refused at the door, with the field named; nothing is ever asked for by one."""

from typing import Any

import pytest

from rice_stream.quantities import is_storable
from tests.support.api_running import Api, api
from tests.support.cli_running import filled_database, ledger, shell

__all__ = ["api", "filled_database", "ledger", "shell"]
BUDGET: dict[str, Any] = {"name": "b", "tenant_id": "acme", "limit_kwh": 1, "period": "month"}


def test_databases_hold_all_text_but_nul_and_halves_of_pairs() -> None:
    assert all(map(is_storable, ("", "a", "\u202e\U0001f600\ufffd", "\x01\x7f\ue000\ud7ff")))
    assert not any(map(is_storable, ("\0", "a\0b", "\ud800", "a\udfff")))


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/totals?tenant=a%00", "tenant"),
        ("/v1/totals?by=team&by=%00", "by"),
        ("/v1/prompts?user=%00", "user"),
        ("/v1/budgets?tenant=%00acme", "tenant"),
        ("/v1/models?query=%00", "query"),
    ],
)
def test_a_parameter_with_nul_is_refused_by_its_name(api: Api, path: str, field: str) -> None:
    answer = api.get(path)
    assert answer.status == 422
    assert [each["field"] for each in answer.document["invalid_parameters"]] == [field]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**BUDGET, "name": "b\0"}, "name"),
        ({**BUDGET, "user_id": "\0"}, "user_id"),
        ({**BUDGET, "thresholds": [0.5], "model": "a\0b"}, "model"),
    ],
)
def test_a_field_with_nul_is_refused_by_its_name(api: Api, body: dict[str, Any], field: str) -> None:
    answer = api.send("POST", "/v1/budgets", body)
    assert answer.status == 422
    assert [each["field"] for each in answer.document["invalid_parameters"]] == [field]


def test_fields_within_others_are_looked_at_as_well(api: Api) -> None:
    """Lists and names that a body gives itself."""
    token = {"name": "n", "role": "reader", "tenants": ["acme", "b\0"]}
    answer = api.send("POST", "/v1/tokens", token, role="admin")
    assert (answer.status, answer.document["invalid_parameters"][0]["field"]) == (422, "tenants.1")
    replay = {"ids": [1], "set": {"tenant\0": "acme"}}
    answer = api.send("POST", "/v1/quarantine/replay", replay)
    assert (answer.status, answer.document["invalid_parameters"][0]["field"]) == (422, "set")


def test_a_backslash_before_it_is_no_nul(api: Api) -> None:
    """The same signs in JSON, of which the first is a text's own."""
    answer = api.send("POST", "/v1/budgets", {**BUDGET, "name": "b\\u0000"})
    assert answer.status == 201
    assert answer.document["name"] == "b\\u0000"


def test_half_of_a_pair_is_no_json(api: Api) -> None:
    answer = api.send("POST", "/v1/budgets", b'{"name": "\\ud800"}')
    assert (answer.status, answer.document["type"]) == (400, "/problems/invalid-json")


@pytest.mark.parametrize(
    "path", ["/v1/prompts/a\0", "/v1/budgets/\0", "/v1/prompts/a\0/explain", "/v1/totals\0", "/\0"]
)
def test_nothing_is_at_a_path_with_nul(api: Api, path: str) -> None:
    answer = api.get(path)
    assert answer.status == 404
