"""Whatever a caller sends, by the committed document or against it: the answer is one that the document names.

schemathesis makes the requests from docs/openapi.json, good ones and spoilt ones; every role sends each of them to the real server
in front of PostgreSQL. Status, content type and body are as the document says, nothing is answered with 500, and what a
parameter or field may not be is refused. `API_FUZZ_EXAMPLES` sets how many requests of each kind an operation gets; outside a
drill two of the roles, drawn for each operation, send them.
"""

import copy
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from rice_stream.api.access.rights import RIGHTS
from tests.openapi import DOCUMENT, read
from tests.support.cases import drawn, size, some
from tests.support.databases import Databases
from tests.support.owned_names import SCOPES, fill
from tests.support.reports_store import NOON, Store, open_store
from tests.support.wire import served_on_loopback
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door

EXAMPLES = int(os.environ.get("API_FUZZ_EXAMPLES", size(3, 100)))
SEED = drawn("document fuzz").randrange(2**32)
SCOPE = "one tenant"
STREAM = "/v1/stream"
_TENANTS, _TEAMS, _MOMENTS = (
    ["tenant-x0x", "tenant-x1x"],
    ["team-x0ax", "team-shared"],
    ["2026-11-01", "2026-11-22T10:07:01Z"],
)
KNOWN: dict[str, list[Any]] = {
    "tenant": _TENANTS,
    "tenant_id": _TENANTS,
    "team": _TEAMS,
    "team_id": _TEAMS,
    "name": ["budget-x0ax", "budget-x1ax", "new"],
    "event_id": ["event-x0ax-1", "event-x1ax-1"],
    "model": ["gpt-4o", "model-x0ax"],
    "only_model": ["model-x0ax"],
    "window": ["24h", "30d"],
    "from": _MOMENTS,
    "to": _MOMENTS,
    "ended_at": _MOMENTS,
    "time_zone": ["America/New_York", "UTC"],
    "quarantine_id": [1, 2],
    "token_id": [1, 2],
    "period": ["month", "day"],
    "method": ["rice-paper", "rice-calibrated"],
    "precision": ["fp16"],
    "provider": ["openai"],
    "region": ["fr"],
}
"""Values with which a request finds something: names that are drawn at random are nobody's."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


def changed(document: dict[str, Any], known: dict[str, list[Any]]) -> dict[str, Any]:
    """The document for making requests: known values beside all others, and no header that says who somebody is."""

    def described(name: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [{"enum": known[name]}, schema]} if name in known else schema

    made = copy.deepcopy(document)
    for operations in made["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
            for each in operation.get("parameters", ()):
                each["schema"] = described(each["name"], each["schema"])
            for content in operation.get("requestBody", {}).get("content", {}).values():
                fields = content.get("schema", {}).get("properties", {})
                fields |= {name: described(name, schema) for name, schema in fields.items()}
    return made


def operations() -> list[tuple[Any, Any]]:
    """Every operation of the committed document: for good requests with known values, for spoilt ones as it is."""

    def found(document: dict[str, Any]) -> Iterator[Any]:
        for each in schemathesis.openapi.from_dict(document).get_all_operations():
            assert isinstance(each, Ok), each
            # A stream lasts until nobody listens: it has tests of its own.
            if each.ok().path != STREAM:
                yield each.ok()

    document = read(DOCUMENT)
    return list(zip(found(changed(document, KNOWN)), found(changed(document, {})), strict=True))


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, requests.Session]]]:
    """The server's address, and a session with a token of one tenant for each role."""
    databases: Databases = request.getfixturevalue("postgres_of_module")
    with open_store(databases.migrated()) as store:
        fill(store)
        yield from _served(store)


def _served(store: Store) -> Iterator[tuple[str, dict[str, requests.Session]]]:
    tokens = Database()
    scope = SCOPES[SCOPE]
    made = {role: tokens.make(role, tenants=set(scope.tenants or ()), teams=scope.teams) for role in RIGHTS}
    url = store.engine.url.render_as_string(hide_password=False)
    door = Door(tokens=tokens, database_url=url, http_requests_per_s=1e6)
    door.product.now = lambda: NOON
    sessions = {}
    with served_on_loopback(door.app) as port:
        for role, secret in made.items():
            sessions[role] = requests.Session()
            sessions[role].headers["authorization"] = f"Bearer {secret}"
        yield f"http://127.0.0.1:{port}", sessions
    door.product.close()


@pytest.mark.parametrize(("good", "spoilt"), operations(), ids=lambda operation: operation.label)
def test_every_answer_is_one_that_the_document_names(
    served: tuple[str, dict[str, requests.Session]], good: Any, spoilt: Any
) -> None:
    """To good requests and to spoilt ones, whoever sends them."""
    print(f"seed {SEED}")
    roles = some(f"roles of {good.label}", list(RIGHTS), 2)
    for operation, mode in ((good, GenerationMode.POSITIVE), (spoilt, GenerationMode.NEGATIVE)):

        @seed(SEED)
        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def hold(case: Case[Any]) -> None:
            for role in roles:
                check(served, case, role)

        with suppress(Unsatisfiable):  # nothing that could be sent would be wrong
            hold()


HEAD_BYTES_MAX = 64 * 1024
"""Of a request line and headers: what uvicorn reads at most."""


def check(served: tuple[str, dict[str, requests.Session]], case: Case[Any], role: str) -> None:
    """One answer."""
    url, sessions = served
    try:
        response = case.call(base_url=url, session=sessions[role], allow_redirects=False)
    except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError):
        # The server closes on a head that it does not read to its end, and its answer may be lost with that.
        assert len(case.as_curl_command()) > HEAD_BYTES_MAX, case.as_curl_command()
        return
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        assert "retry-after" in response.headers, case.as_curl_command()
        return
    case.validate_response(response, checks=CHECKS)
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        problem = json.loads(response.content)
        assert problem["status"] == response.status_code
        assert problem["type"].startswith("/problems/")
