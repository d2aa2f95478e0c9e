"""Restating over HTTP: who orders it, what is answered, and that a server does it as the command line would."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rice_stream.runtime.restating_chores import RestatingJob
from rice_stream.store.engine import open_engine
from tests.support.api_running import Api
from tests.support.cli_running import Shell
from tests.support.factor_files import SWEDEN, file_of, rci_row

ORDER = {"from": "2020-01-01", "to": "2100-01-01", "tenant": "acme", "reason": "another method"}
BY_PAPER = {**ORDER, "method": "rice-paper"}


def work(api: Api, **changes: Any) -> None:
    """What the server, or one of other settings, does beside its requests."""
    settings = api.door.product.settings.model_copy(update=changes)
    engine = open_engine(settings.database_url.get_secret_value())
    RestatingJob(settings).work(engine)
    engine.dispose()


def own(document: dict[str, Any]) -> dict[str, Any]:
    """What another run of the same order says as well."""
    left_out = ("restatement_id", "dry_run", "author_kind", "author", "started_at", "finished_at")
    return {name: value for name, value in document.items() if name not in left_out}


def test_a_restatement_is_ordered_done_and_shown(api: Api, ledger: Shell) -> None:
    """202 first; then what the command line says of it, which has nothing left to do."""
    dry = api.send("POST", "/v1/restatements", {**BY_PAPER, "dry_run": True})
    ordered = api.send("POST", "/v1/restatements", BY_PAPER)
    assert (dry.status, ordered.status) == (202, 202)
    assert (ordered.document["state"], ordered.document["records"]) == ("ordered", 0)
    path = f"/v1/restatements/{ordered.document['restatement_id']}"
    assert api.get(path).document == ordered.document
    work(api)
    work(api)
    done = api.get(path).document
    assert (done["state"], done["records"], done["records_expected"]) == ("done", 2, 2)
    assert own(api.get(f"/v1/restatements/{dry.document['restatement_id']}").document) == own(done)
    arguments = ["--from=2020-01-01", "--to=2100-01-01", "--tenant=acme", "--method=rice-paper", "--reason=again"]
    assert ledger.json("restate", *arguments) == done
    assert api.get("/v1/restatements").document["rows"] == ledger.json("restate", "--list")["rows"]
    assert [row["state"] for row in api.get("/v1/restatements?tenant=acme").document["rows"]] == ["done", "done"]
    bridge = api.get("/v1/bridge?tenant=acme").document
    assert bridge["materiality_percent"] == done["materiality_percent"]
    assert {s["cause"] for s in bridge["steps"] if s["carbon_ugco2e"]} == {
        cause for cause, grams in done["by_cause"].items() if grams
    }
    assert ledger.json("verify")["ok"]


def test_only_who_may_change_a_whole_tenant_restates_it(api: Api, ledger: Shell) -> None:
    """Every tenant: for who has the right to all of them."""
    for role in ("reader", "auditor", "ingest"):
        assert api.send("POST", "/v1/restatements", ORDER, role=role).status == 403
    assert api.send("POST", "/v1/restatements", ORDER, tenants={"globex"}).status == 404
    every = {name: value for name, value in ORDER.items() if name != "tenant"}
    assert api.send("POST", "/v1/restatements", every, tenants={"acme"}).status == 403
    assert api.send("POST", "/v1/restatements", ORDER, tenants={"acme"}, teams=frozenset({"search"})).status == 403
    for wrong in ({"to": "2019-01-01"}, {"from": "soon"}, {"method": "magic"}, {"reason": ""}, {"reason": " "}):
        assert api.send("POST", "/v1/restatements", {**ORDER, **wrong}).status in (400, 422)
    assert ledger.json("restate", "--list")["rows"] == []
    made = api.send("POST", "/v1/restatements", ORDER, role="editor", tenants={"acme"})
    assert made.status == 202
    path = f"/v1/restatements/{made.document['restatement_id']}"
    assert api.get(path, tenants={"acme"}).status == 200
    assert api.get(path, tenants={"globex"}).status == 404
    assert api.get("/v1/restatements", tenants={"globex"}).document["rows"] == []
    assert api.send("POST", "/v1/restatements", every).status == 202
    assert len(api.get("/v1/restatements", tenants={"acme"}).document["rows"]) == 1


def test_a_request_that_is_sent_again_with_its_key_is_answered_as_the_first_time(api: Api) -> None:
    """With the same status."""
    first, second = (api.send("POST", "/v1/restatements", ORDER, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status, first.document) == (second.status, second.document) == (202, first.document)


def test_the_command_line_says_what_is_missing(ledger: Shell) -> None:
    """The options of a run are not needed for the list."""
    result = ledger.run("restate", "--from=2020-01-01")
    assert result.exit_code == 2
    assert "--reason" in result.stderr


def test_a_version_of_the_tables_is_restated_by(api: Api, ledger: Shell) -> None:
    """One that is kept, also by a server whose own tables are others by then; one that nobody kept is refused."""
    kept = api.send("POST", "/v1/restatements", BY_PAPER).document["versions"]["factors"]
    work(api)
    ordered = api.send("POST", "/v1/restatements", {**ORDER, "factors": kept}).document
    assert ordered["versions"]["factors"] == kept
    own_tables = ledger.directory / "own"
    own_tables.mkdir()
    (own_tables / "pue.csv").write_text(
        "subject,basis,pue,year,valid_from,valid_to,source,note\naws:ap-south-1,region,2,2024,,,aws-disclosure,\n"
    )
    work(api, reference_dir=own_tables)
    done = api.get(f"/v1/restatements/{ordered['restatement_id']}").document
    assert (done["state"], done["problem"], done["after_gco2e"]) == ("done", None, done["reported_gco2e"])
    refused = api.send("POST", "/v1/restatements", {**ORDER, "factors": "factors-000000000000"})
    assert (refused.status, b"nothing is kept" in refused.body) == (400, True)
    assert ledger.json("verify")["ok"]


def test_a_form_of_the_page_orders_the_same(api: Api, ledger: Shell) -> None:
    """A dry run unless it is to be posted; with a reason, by who may."""
    fields = [("tenant", "acme"), ("from", "2020-01-01"), ("to", "2100-01-01"), ("method", "rice-paper")]
    assert b"Estimate again" in api.get("/periods?year=2026", "editor").body
    assert b"Estimate again" not in api.get("/periods?year=2026", "reader").body
    assert api.fill_in("/periods/restatements", [*fields, ("reason", " ")]).status == 400
    assert api.fill_in("/periods/restatements", [*fields, ("reason", "r"), ("factors", "no-such")]).status == 400
    assert api.fill_in("/periods/restatements", [*fields, ("reason", "r"), ("true_up", "no")]).status == 422
    assert api.fill_in("/periods/restatements", [*fields, ("reason", "r"), ("true_up", "yes")]).status == 303
    assert api.fill_in("/periods/restatements", [*fields, ("reason", "r"), ("factors", "")]).status == 303
    assert api.fill_in("/periods/restatements", [*fields, ("reason", "r"), ("post", "yes")]).status == 303
    for _ in range(3):
        work(api)
    done, dry, trued_up = api.get("/v1/restatements").document["rows"]
    assert (trued_up["dry_run"], trued_up["entries"]) == (True, 0)
    assert (dry["dry_run"], done["dry_run"], own(dry) == own(done)) == (True, False, True)
    assert ledger.json("verify")["ok"]


def test_what_rests_on_provisional_intensities_is_trued_up(api: Api, ledger: Shell) -> None:
    """That alone, by the sets of when it was ordered; the same again posts nothing."""
    earlier, ended, later = ((datetime.now(UTC) - timedelta(seconds=ago)).isoformat() for ago in (40, 30, 20))
    event = {"event_id": "fed", "tenant_id": "acme", "ended_at": ended, "request_model": "gpt-4o"}
    file = ledger.directory / "fed.jsonl"
    editions: list[dict[str, Any]] = [{"value": 100, "status": "estimated"}, {"value": 50}]
    for number, changes in enumerate(editions):
        grid = ledger.directory / f"{number}.yaml"
        grid.write_text(json.dumps(file_of(rci_row(**changes))))
        if number:
            body = {**event, "input_tokens": 900, "output_tokens": 90, "inference_region": SWEDEN, "provider": "azure"}
            file.write_text(json.dumps(body))
            ledger.json("ingest", str(file))
        ledger.json("factors", "add", str(grid), f"--effective-from={(earlier, later)[number]}")
    order = {**ORDER, "true_up": True}
    path = f"/v1/restatements/{api.send('POST', '/v1/restatements', order).document['restatement_id']}"
    work(api)
    done = api.get(path).document
    assert (done["state"], done["records"], done["entries"]) == ("done", 3, 2)
    assert list(done["by_cause"]) == ["true_up"]
    assert done["after_gco2e"] - done["before_gco2e"] == pytest.approx(done["by_cause"]["true_up"])
    assert api.send("POST", "/v1/restatements", order).document["restatement_id"] == done["restatement_id"]
    assert ledger.json("verify")["ok"]
