"""Budgets over HTTP: made once, changed only by who has seen their state, and only one's own."""

from typing import Any

import pytest

from tests.support.api_running import Api
from tests.support.cli_running import Shell

NEW = {"name": "acme-month", "tenant_id": "acme", "limit_gco2e": 50, "period": "month"}
CHANGED = {"limit_kwh": "1.5", "period": "day", "time_zone": "Europe/Berlin"}
PATH = "/v1/budgets/acme-month?tenant=acme"


def budgets(ledger: Shell) -> list[dict[str, Any]]:
    """As the command line lists them."""
    listed: list[dict[str, Any]] = ledger.json("budget", "list")["budgets"]
    return listed


_BEFORE = ("schema.migrate", "reference_tables.keep")


def trail(ledger: Shell) -> list[tuple[str, str]]:
    """Actions and who did them, oldest first; without what made and filled the database."""
    done = [(row["action"], row["actor"]["name"]) for row in reversed(ledger.json("audit", "list")["rows"])]
    return [(action, name) for action, name in done if action not in _BEFORE]


def test_a_budget_is_made_changed_and_removed(api: Api, ledger: Shell) -> None:
    """Each with the state that it leaves, and an entry in the audit trail."""
    made = api.send("POST", "/v1/budgets", NEW)
    assert made.status == 201, made.body
    assert made.document == budgets(ledger)[0]
    tag = api.get(PATH).headers["etag"]
    changed = api.send("PUT", PATH, CHANGED, headers={"If-Match": tag})
    assert changed.status == 200, changed.body
    assert changed.document == budgets(ledger)[0]
    assert (changed.document["limit"], changed.document["unit"], changed.document["period"]) == (1.5, "kwh", "day")
    assert changed.headers["etag"] == api.get(PATH).headers["etag"] != tag
    removed = api.send("DELETE", PATH, headers={"If-Match": changed.headers["etag"]})
    assert (removed.status, removed.body) == (204, b"")
    assert budgets(ledger) == []
    assert [action for action, _ in trail(ledger)] == ["budget.set", "budget.set", "budget.remove"]
    assert {name for _, name in trail(ledger)} == {"token 1 (editor-0)"}


def test_a_change_needs_the_state_that_was_seen(api: Api, ledger: Shell) -> None:
    """428 without If-Match; 412 with the state of now where somebody else has changed it; nothing is changed then."""
    api.send("POST", "/v1/budgets", NEW)
    seen = api.get(PATH)
    assert api.send("PUT", PATH, CHANGED).status == 428
    assert api.send("DELETE", PATH).status == 428
    assert (
        ledger.run("budget", "set", "acme-month", "--tenant=acme", "--limit-gco2e=60", "--period=month").exit_code == 0
    )
    before = budgets(ledger)
    for method, body in (("PUT", CHANGED), ("DELETE", None)):
        refused = api.send(method, PATH, body, headers={"If-Match": seen.headers["etag"]})
        assert refused.status == 412
        assert refused.document["current"]["limit"] == 60
        assert refused.headers["etag"] == api.get(PATH).headers["etag"]
    assert budgets(ledger) == before


def test_a_name_is_taken_once(api: Api, ledger: Shell) -> None:
    assert api.send("POST", "/v1/budgets", NEW).status == 201
    before = budgets(ledger)
    assert api.send("POST", "/v1/budgets", {**NEW, "limit_gco2e": 1}).status == 409
    assert budgets(ledger) == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"limit_gco2e": None}, "limit_gco2e"),
        ({"limit_kwh": 3}, "limit_gco2e, limit_kwh"),
        ({"period": "fortnight"}, "period"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"thresholds": [80]}, "thresholds"),
        ({"limit": 3}, "limit"),
        ({"name": "a/b"}, "name"),
        ({"tenant_id": ""}, "tenant_id"),
        ({"state": "ok"}, "state"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(
    api: Api, ledger: Shell, change: dict[str, Any], field: str
) -> None:
    answer = api.send("POST", "/v1/budgets", {**NEW, **change})
    assert (answer.status, answer.document["type"]) == (422, "/problems/invalid-parameters")
    assert field in answer.document["detail"]
    assert budgets(ledger) == []


def test_nobody_writes_what_is_anothers(api: Api, ledger: Shell) -> None:
    """404 as for what is not there, and nothing is changed; 403 for who may only read."""
    api.send("POST", "/v1/budgets", NEW)
    tag = {"If-Match": api.get(PATH).headers["etag"]}
    before = budgets(ledger)
    others: list[dict[str, Any]] = [{"tenants": {"globex"}}, {"tenants": {"acme"}, "teams": frozenset({"search"})}]
    for scope in others:
        assert api.send("POST", "/v1/budgets", {**NEW, "name": "new"}, **scope).status == 404
        assert api.send("PUT", PATH, CHANGED, headers=tag, **scope).status == 404
        assert api.send("PUT", PATH.partition("?")[0], CHANGED, headers=tag, **scope).status == 404
        assert api.send("DELETE", PATH, headers=tag, **scope).status == 404
    for role in ("reader", "auditor", "ingest"):
        assert api.send("DELETE", PATH, headers=tag, role=role).status == 403
    assert budgets(ledger) == before


def test_a_team_makes_budgets_of_its_own(api: Api, ledger: Shell) -> None:
    scope: dict[str, Any] = {"tenants": {"acme"}, "teams": frozenset({"search"})}
    own = {**NEW, "name": "search", "team_id": "search"}
    assert api.send("POST", "/v1/budgets", own, **scope).status == 201
    assert api.send("POST", "/v1/budgets", {**own, "name": "other", "team_id": "ads"}, **scope).status == 404
    path = "/v1/budgets/search"
    tag = {"If-Match": api.get(path, **scope).headers["etag"]}
    assert api.send("PUT", path, {**CHANGED, "team_id": "ads"}, headers=tag, **scope).status == 404
    assert api.send("PUT", path, {**CHANGED, "team_id": "search"}, headers=tag, **scope).status == 200
    assert [row["team_id"] for row in budgets(ledger)] == ["search"]


def test_a_request_with_a_key_is_done_once(api: Api, ledger: Shell) -> None:
    """The same answer again, marked as such; another body, or another's key, is another request."""
    key = {"Idempotency-Key": "k-1"}
    first = api.send("POST", "/v1/budgets", NEW, headers=key)
    again = api.send("POST", "/v1/budgets", NEW, headers=key)
    assert (first.status, again.status) == (201, 201)
    assert first.document == again.document
    assert again.headers["idempotency-replayed"] == "true"
    assert len(trail(ledger)) == 1
    other = api.send("POST", "/v1/budgets", {**NEW, "name": "other"}, headers=key)
    assert (other.status, other.document["type"]) == (422, "/problems/idempotency-key-reused")
    assert api.send("POST", "/v1/budgets", {**NEW, "name": "third"}, role="admin", headers=key).status == 201
    assert api.send("POST", "/v1/budgets", NEW, headers={"Idempotency-Key": "k" * 256}).status == 400


def test_a_request_that_failed_may_be_tried_again(api: Api, ledger: Shell) -> None:
    key = {"Idempotency-Key": "k-1"}
    assert api.send("POST", "/v1/budgets", NEW).status == 201
    assert api.send("POST", "/v1/budgets", NEW, headers=key).status == 409
    assert ledger.run("budget", "remove", "acme-month").exit_code == 0
    assert api.send("POST", "/v1/budgets", NEW, headers=key).status == 201
