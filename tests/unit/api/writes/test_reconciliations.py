"""Reconciliations over HTTP: what was found is answered and kept, by who may change the whole tenant, whatever the file holds."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.api_running import Api
from tests.support.cli_running import Shell

MONTH = f"{datetime.now(UTC):%Y-%m}"


def usage(**changes: Any) -> str:
    """Yesterday and today, in the names of the ledger's events."""
    days = [f"{datetime.now(UTC) + timedelta(days=each):%Y-%m-%d}T00:00:00Z" for each in (-1, 1)]
    bucket = {"start_time_iso": days[0], "end_time_iso": days[1], "model": "gpt-4o", "input_tokens": 2000}
    return json.dumps({**bucket, "output_tokens": 200, **changes})


def body(**changes: Any) -> dict[str, Any]:
    """A reconciliation of the ledger's month; its events name no provider."""
    return {"tenant_id": "acme", "month": MONTH, "provider": "vertex", "usage": usage(), **changes}


OPENAI = {"provider": "openai"}


def test_what_was_found_is_answered_kept_and_read_again(api: Api, ledger: Shell) -> None:
    """The same as the command says; the list has all but the names that the file gives."""
    made = api.send("POST", "/v1/reconciliations", body(**OPENAI), role="editor", tenants={"acme"})
    assert made.status == 201, made.body
    file = ledger.directory / "usage.json"
    file.write_text(usage())
    asked = ("reconcile", str(file), "--provider=openai", "--tenant=acme", f"--month={MONTH}", "--dry-run")
    said = ledger.json(*asked)
    found = dict(made.document)
    assert found["file"].pop("sha256")
    assert said.items() <= found.items()
    path = f"/v1/reconciliations/{found['reconciliation_id']}"
    one = api.get(path, tenants={"acme"}).document
    assert one == {**{name: each for name, each in found.items() if name != "models"}, "file": one["file"]}
    assert one["file"].keys() == {"sha256", "from", "to", "rows", "skipped"}
    assert api.get(f"/v1/reconciliations?tenant=acme&month={MONTH}").document["rows"] == [one]
    assert api.get("/v1/reconciliations?month=2020-01").document["rows"] == []
    again = api.send("POST", "/v1/reconciliations", body(**OPENAI), role="editor")
    assert again.document["reconciliation_id"] != found["reconciliation_id"], "each run is kept"
    assert len(api.get("/v1/reconciliations?limit=1").document["rows"]) == 1
    assert [row["action"] for row in api.get("/v1/audit?limit=2", "admin").document["rows"]] == ["period.reconcile"] * 2


def test_who_may_not_is_refused_and_sees_nothing(api: Api) -> None:
    """Readers, auditors and senders change nothing; of a team, of another tenant, or of nobody it is not there."""
    for role in ("reader", "auditor", "ingest"):
        assert api.send("POST", "/v1/reconciliations", body(**OPENAI), role=role).status == 403
    whole = body(**OPENAI)
    assert api.send("POST", "/v1/reconciliations", whole, role="admin", tenants={"globex"}).status == 404
    team: dict[str, Any] = {"tenants": {"acme"}, "teams": frozenset({"search"})}
    assert api.send("POST", "/v1/reconciliations", whole, role="admin", **team).status == 403
    made = api.send("POST", "/v1/reconciliations", whole, role="admin").document["reconciliation_id"]
    callers: list[dict[str, Any]] = [{"tenants": {"globex"}}, team]
    for caller in callers:
        assert api.get("/v1/reconciliations", **caller).document["rows"] == []
        assert api.get(f"/v1/reconciliations/{made}", **caller).status == 404


def test_the_same_key_does_it_once(api: Api) -> None:
    headers = {"Idempotency-Key": "k"}
    first, second = (
        api.send("POST", "/v1/reconciliations", body(**OPENAI), role="admin", headers=headers) for _ in "ab"
    )
    assert first.document == second.document
    assert len(api.get("/v1/reconciliations").document["rows"]) == 1


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"month": "13-2026"}, 400, "is no month"),
        ({"provider": "nobody"}, 422, "provider"),
        ({"usage": ""}, 422, "usage"),
        ({"usage": 3}, 422, "usage"),
        ({"usage": "[" * 50_000}, 400, "too deep"),
        ({"usage": usage(input_tokens="1e999999999")}, 400, "is no number of tokens"),
        ({"usage": usage(start_time_iso="9999-12-31")}, 400, "outside the years"),
        ({"usage": usage(start_time_iso="2001-01-01")}, 400, "more than 92 days"),
        ({"usage": "=cmd()|' /C calc'!A0"}, 400, "nothing in the file states tokens"),
        ({"usage": "x" * 1_100_000}, 413, "larger"),
        ({"threshold_percent": -1}, 422, "threshold_percent"),
        ({"threshold_percent": 101}, 422, "threshold_percent"),
        ({"names": ["x"] * 51}, 422, "names"),
        ({"secret": 1}, 422, "secret"),
    ],
)
def test_what_cannot_be_read_is_a_problem_that_names_it_and_nothing_is_kept(
    api: Api, changes: dict[str, Any], status: int, words: str
) -> None:
    refused = api.send("POST", "/v1/reconciliations", body(**{**OPENAI, **changes}), role="admin")
    assert refused.status == status, refused.body
    assert words in refused.body.decode()
    assert api.get("/v1/reconciliations").document["rows"] == []
