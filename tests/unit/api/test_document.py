"""The API's document is complete, says what the server answers, and breaks nothing that was promised."""

import copy
import json
import re
from http import HTTPStatus
from typing import Any

import pytest

from rice_stream.api.document.answers import ANSWERS, EXAMPLES, adapter_of
from rice_stream.api.document.building import text_of
from rice_stream.api.document.page import PROBLEMS
from rice_stream.api.problems import slug_of
from tests.openapi import DOCUMENT, PROMISED, ROOT, breaks, made, read
from tests.support.api_matrix import routes
from tests.support.api_running import Api, api
from tests.support.audited import SECRETS_KEY
from tests.support.cli_running import Shell, filled_database, ledger, shell
from tests.support.factor_files import file_of, rci_row

__all__ = ["api", "filled_database", "ledger", "shell"]
RAISED = (400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 421, 428, 429, 500, 503)
"""Statuses of problems that have no kind of their own."""
OTLP = {("POST", "/v1/traces"), ("POST", "/v1/logs")}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """As the server gives it."""
    return made()


def test_the_committed_document_is_this_versions(document: dict[str, Any]) -> None:
    """`python -m tests.openapi` writes it."""
    assert DOCUMENT.read_text() == text_of(document)


def test_nothing_that_was_promised_is_broken(document: dict[str, Any]) -> None:
    """`python -m tests.openapi --promise` changes what is promised, with a line in CHANGELOG.md."""
    assert breaks(read(PROMISED), json.loads(text_of(document))) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d["paths"].pop("/v1/totals"), "GET /v1/totals: is gone"),
        (lambda d: d["paths"]["/v1/alerts"]["get"]["parameters"].pop(), "the parameter tenant is gone"),
        (
            lambda d: d["paths"]["/v1/alerts"]["get"]["parameters"].append({"name": "new", "required": True}),
            "the parameter new is needed",
        ),
        (lambda d: d["components"]["schemas"]["Prompt"]["properties"].pop("model"), "schema Prompt: model is gone"),
        (
            lambda d: d["components"]["schemas"]["Prompt"]["required"].remove("model"),
            "schema Prompt: model may be missing",
        ),
    ],
)
def test_what_breaks_others_is_found(document: dict[str, Any], change: Any, problem: str) -> None:
    changed = copy.deepcopy(document)
    change(changed)
    assert any(problem in found for found in breaks(document, changed))
    assert breaks(document, document) == []


def test_every_route_says_what_it_answers(api: Api) -> None:
    """And every one that has no body has an example, which the next test sends."""
    there = {operation for operation in routes(api.door.app) if operation[1].startswith("/v1/")} - OTLP
    assert there == set(ANSWERS)
    assert set(EXAMPLES) == {operation for operation in there if operation[0] == "GET"}


def test_every_amount_has_its_unit(document: dict[str, Any]) -> None:
    """And every operation a summary, the right that it needs, and its problems in one shape."""
    bare = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, described in schema.get("properties", {}).items()
        if "description" not in described and "number" in json.dumps(described.get("anyOf", described.get("type")))
    ]
    assert bare == []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], path
            assert ("x-right" in operation) == path.startswith("/v1/"), path
            for status, response in operation["responses"].items():
                if status.startswith(("4", "5")) and path != "/readyz":
                    assert list(response["content"]) == ["application/problem+json"], (method, path, status)


@pytest.mark.parametrize("operation", EXAMPLES, ids=" ".join)
def test_examples_are_answered_as_the_document_says(api: Api, ledger: Shell, operation: tuple[str, str]) -> None:
    made_budget = ledger.run("budget", "set", "acme-month", "--tenant=acme", "--limit-gco2e=0.001", "--period=month")
    assert made_budget.exit_code == 0
    if "/v1/deliveries" in operation[1]:
        made = ledger.run("channel", "set", "ops", "--type=alertmanager", "--url=http://alertmanager.example:9093")
        assert made.exit_code == 0, made.stderr
        ledger.run("channel", "test", "ops", "--wait=0")
    if operation[1].endswith("/proof"):
        assert ledger.run("audit", "checkpoint", RICE_SECRETS_KEY=SECRETS_KEY).exit_code == 0
    if "/v1/proofs" in operation[1]:
        close_a_month(ledger)
    if "/v1/factors" in operation[1]:
        for name, value in (("grid-2026", 10), ("grid-2027", 12)):
            file = file_of(rci_row(value=value), name=name, effective_from="2030-01-01")
            assert api.send("POST", "/v1/factors", file, role="admin").status == 201
    path = EXAMPLES[operation]
    if "{restatement_id}" in operation[1]:
        order = {"from": "2026-01-01", "to": "2026-07-01", "tenant": "acme", "reason": "r"}
        path = f"/v1/restatements/{api.send('POST', '/v1/restatements', order).document['restatement_id']}"
    if "{reconciliation_id}" in operation[1]:
        usage = {"month": "2026-10", "provider": "openai", "usage": '{"start_time": 1762000000, "input_tokens": 1}'}
        compared = api.send("POST", "/v1/reconciliations", {"tenant_id": "acme", **usage}, role="admin").document
        path = f"/v1/reconciliations/{compared['reconciliation_id']}"
    if "{closing_id}" in operation[1]:
        month = {"tenant_id": "acme", "month": "2020-01", "soft": True, "accept": {"watermark": "no events yet"}}
        path = f"/v1/periods/closings/{api.send('POST', '/v1/periods/close', month).document['closing_id']}"
    answer = api.get(path, "admin")
    assert answer.status == 200, answer.body
    if ANSWERS[operation] is not None:
        adapter_of(operation).validate_json(answer.body)


def close_a_month(ledger: Shell) -> None:
    """One with a prompt in it."""
    prompt = {"event_id": "e-0", "tenant_id": "acme", "ended_at": "2026-01-15T12:00:00Z", "request_model": "gpt-4o"}
    file = ledger.directory / "january.jsonl"
    file.write_text(json.dumps({**prompt, "input_tokens": 1000, "output_tokens": 100}))
    assert ledger.run("ingest", str(file)).exit_code == 0
    accepted = ("--accept=unattributed", "--accept=coverage", "--accept=quarantine", "--reason=a trial")
    closed = ledger.run("close", "--tenant=acme", "--month=2026-01", *accepted, RICE_SECRETS_KEY=SECRETS_KEY)
    assert closed.exit_code == 0, closed.stderr


def test_bodies_of_examples_are_answered_as_the_document_says(api: Api, document: dict[str, Any]) -> None:
    """Those that need something to be there first are refused as a problem, and by no mistake of the example's shape."""
    for method, path in ANSWERS:
        described = document["paths"][path.replace(":path", "")][method.lower()]
        content = described.get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" not in content:
            continue
        sent = path.replace("{tenant_id:path}", "acme").replace("{name}", "acme-month").replace("{token_id}", "1")
        answer = api.send(method, sent, content["example"], role="admin", headers={"If-Match": "*"})
        assert answer.status in (200, 201, 202, 400, 404), (path, answer.body)
        if answer.status < 300:
            adapter_of((method, path)).validate_json(answer.body)


def test_the_reference_is_a_page_of_its_own(api: Api, document: dict[str, Any]) -> None:
    """Every operation and shape is on it, and nothing is fetched from anywhere."""
    answer = api.get("/reference")
    text = answer.body.decode()
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for path in document["paths"]:
        assert path in text
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in text
    assert not re.findall(r"<script|https?://|src=", text)
    assert api.get("/reference", "ingest").status == 200
    assert api.door.get("/reference").status == 401


def test_every_kind_of_problem_has_its_page(api: Api) -> None:
    """All that any module raises."""
    slugs = {slug_of(status) for status in HTTPStatus if status in RAISED}
    for path in (ROOT / "rice_stream" / "api").rglob("*.py"):
        slugs |= set(re.findall(r'slug="([a-z-]+)"', path.read_text()))
    assert slugs == set(PROBLEMS)
    for slug in slugs:
        assert PROBLEMS[slug][:20] in api.get(f"/problems/{slug}").body.decode()
    assert api.get("/problems/another").status == 404


def test_every_shape_that_is_referred_to_is_there(document: dict[str, Any]) -> None:
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert referred <= set(document["components"]["schemas"])


def test_operations_are_called_by_method_and_path(document: dict[str, Any]) -> None:
    """What clients that are made from the document call them."""
    assert document["paths"]["/v1/budgets/{name}/burn-down"]["get"]["operationId"] == "get_budgets_name_burn_down"
    names = [each["operationId"] for operations in document["paths"].values() for each in operations.values()]
    assert len(names) == len(set(names))
