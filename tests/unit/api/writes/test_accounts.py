"""Time zones and mappings over HTTP."""

from typing import Any

from tests.support.api_running import Api
from tests.support.cli_running import Shell
from tests.unit.api.writes.test_restatements import work

MAPPING = {"kind": "model", "name": "corp/chat large", "target": "gpt-4o"}


def test_a_tenants_days_are_its_own_to_set(api: Api, ledger: Shell) -> None:
    answer = api.send("PUT", "/v1/tenants/acme", {"time_zone": "Asia/Kathmandu"}, tenants={"acme"})
    assert (answer.status, answer.document) == (200, {"tenant_id": "acme", "time_zone": "Asia/Kathmandu"})
    before = ledger.json("tenant", "list")
    assert api.send("PUT", "/v1/tenants/globex", {"time_zone": "Asia/Kathmandu"}, tenants={"acme"}).status == 404
    assert api.send("PUT", "/v1/tenants/acme", {"time_zone": "Mars/Olympus"}).status == 400
    assert api.send("PUT", "/v1/tenants/acme", {"time_zone": "UTC", "name": "x"}).status == 422
    assert api.send("PUT", "/v1/tenants/acme", {"time_zone": "UTC"}, role="reader").status == 403
    team: dict[str, Any] = {"tenants": {"acme"}, "teams": frozenset({"search"})}
    assert api.send("PUT", "/v1/tenants/acme", {"time_zone": "UTC"}, **team).status == 404
    assert ledger.json("tenant", "list") == before


def test_names_are_mapped_and_stand_for_themselves_again(api: Api, ledger: Shell) -> None:
    made = api.send("POST", "/v1/mappings", MAPPING)
    assert made.status == 201, made.body
    assert made.document["target"] == "gpt-4o"
    [row] = api.get("/v1/mappings").document["rows"]
    assert row == made.document
    path = "/v1/mappings/" + row["id"].replace(" ", "%20")
    assert api.send("DELETE", path.replace("%20", " ")).status == 204
    assert [row["target"] for row in ledger.json("map", "list")["mappings"]][-1] is None
    assert [row["action"] for row in ledger.json("audit", "list")["rows"]].count("mapping.set") >= 1


def test_what_is_wrong_with_a_mapping_is_told(api: Api, ledger: Shell) -> None:
    assert api.send("POST", "/v1/mappings", {**MAPPING, "target": "no-such-model"}).status == 400
    assert api.send("POST", "/v1/mappings", {**MAPPING, "kind": "colour"}).status == 422
    assert api.send("POST", "/v1/mappings", {**MAPPING, "valid_from": "yesterday"}).status == 400
    assert api.send("POST", "/v1/mappings", {**MAPPING, "valid_from": "2026-1-1"}).status == 400
    itself = api.send("POST", "/v1/mappings", {**MAPPING, "name": "gpt-4o"}).document["detail"]
    assert itself == "target: is NAME itself; DELETE /v1/mappings/{id} ends one"
    for_nobody = api.send("POST", "/v1/mappings", {**MAPPING, "kind": "team"}).document["detail"]
    assert for_nobody == "tenant_id: a team is a tenant's: say whose"
    assert api.send("DELETE", "/v1/mappings/model:nobody").status == 404
    assert ledger.json("map", "list")["mappings"] == []


def test_mappings_are_for_those_who_see_every_tenant(api: Api, ledger: Shell) -> None:
    """They change the numbers of all: a tenant's editor neither makes nor ends nor sees them."""
    assert api.send("POST", "/v1/mappings", MAPPING, tenants={"acme"}).status == 403
    api.send("POST", "/v1/mappings", MAPPING)
    assert api.send("DELETE", "/v1/mappings/model:corp/chat large", tenants={"acme"}).status == 403
    assert len(ledger.json("map", "list")["mappings"]) == 1


CENTRE = {"kind": "cost_centre", "name": "search", "target": "CC-1", "tenant_id": "acme", "subject": "team"}


def test_whom_a_tenant_charges_is_for_those_who_may_change_all_of_it(api: Api, ledger: Shell) -> None:
    """Its editor makes, sees and ends them; another tenant's, or one of a team, neither."""
    made = api.send("POST", "/v1/mappings", CENTRE, tenants={"acme"})
    assert made.status == 201, made.body
    assert (made.document["id"], made.document["tenant_id"]) == ("cost_centre:acme:team:search", "acme")
    assert api.get("/v1/mappings", tenants={"acme"}).document["rows"] == [made.document]
    assert api.get("/v1/mappings", tenants={"globex"}).document["rows"] == []
    team: dict[str, Any] = {"tenants": {"acme"}, "teams": frozenset({"search"})}
    assert api.get("/v1/mappings", **team).document["rows"] == []
    assert api.send("POST", "/v1/mappings", CENTRE, tenants={"globex"}).status == 404
    assert api.send("POST", "/v1/mappings", CENTRE, **team).status == 404
    assert api.send("POST", "/v1/mappings", CENTRE, role="reader").status == 403
    path = "/v1/mappings/cost_centre:acme:team:search"
    assert api.send("DELETE", path, tenants={"globex"}).status == 404
    assert api.send("DELETE", path, tenants={"acme"}).status == 204
    assert [row["target"] for row in ledger.json("map", "list")["mappings"]][-1] is None
    [entry] = [row for row in ledger.json("audit", "list")["rows"] if row["action"] == "mapping.set"]
    assert entry["tenant_id"] == "acme"


def test_what_is_missing_of_whom_it_is_charged_to_is_told(api: Api, ledger: Shell) -> None:
    for change in ({"tenant_id": None}, {"subject": None}, {"kind": "model"}, {"valid_from": "2020-01-01T00:00:00Z"}):
        assert api.send("POST", "/v1/mappings", {**CENTRE, **change}).status == 400, change
    assert api.send("POST", "/v1/mappings", {**CENTRE, "subject": "model"}).status == 422
    assert ledger.json("map", "list")["mappings"] == []


def test_what_is_recorded_is_charged_otherwise_by_a_server(api: Api, ledger: Shell) -> None:
    """In steps; the answer says by which restatement, and the same again posts nothing."""
    asked = {**CENTRE, "valid_from": "2020-01-01T00:00:00Z", "restate": True, "reason": "books of 2026"}
    for wrong in ({"reason": None}, {"valid_from": None}, {"restate": False}, {"kind": "model", "tenant_id": None}):
        assert api.send("POST", "/v1/mappings", {**asked, **wrong}).status == 400, wrong
    assert ledger.json("map", "list")["mappings"] == []
    before = {row["team"]: row["prompts"] for row in ledger.json("totals", "--tenant", "acme", "--by", "team")["rows"]}
    made = api.send("POST", "/v1/mappings", asked, tenants={"acme"})
    assert made.status == 201, made.body
    work(api)
    done = api.get(f"/v1/restatements/{made.document['restatement_id']}", tenants={"acme"}).document
    assert (done["state"], done["reason"]) == ("done", "books of 2026")
    rows = ledger.json("totals", "--tenant", "acme", "--by", "cost-centre")["rows"]
    assert {row["cost_centre"]: row["prompts"] for row in rows}["CC-1"] == before["search"]
    again = api.send("POST", "/v1/mappings", asked, tenants={"acme"})
    assert again.document["restatement_id"] == made.document["restatement_id"]
    assert ledger.json("verify")["ok"]


def test_a_list_of_mappings_is_taken_by_who_may_change_all_of_them(api: Api, ledger: Shell) -> None:
    """All or none, and once."""
    both = {"mappings": [CENTRE, {**CENTRE, "name": "sk-*", "subject": "api_key"}]}
    tried = api.send("POST", "/v1/mappings/import", {**both, "dry_run": True}, tenants={"acme"})
    assert (tried.status, len(tried.document["added"])) == (201, 2)
    assert ledger.json("map", "list")["mappings"] == []
    assert api.send("POST", "/v1/mappings/import", both, tenants={"globex"}).status == 404
    team: dict[str, Any] = {"tenants": {"acme"}, "teams": frozenset({"search"})}
    assert api.send("POST", "/v1/mappings/import", both, **team).status == 404
    mixed = {"mappings": [CENTRE, MAPPING]}
    assert api.send("POST", "/v1/mappings/import", mixed, tenants={"acme"}).status == 403
    assert api.send("POST", "/v1/mappings/import", both, role="reader").status == 403
    wrong = {"mappings": [CENTRE, {**MAPPING, "target": "no-such-model"}]}
    refused = api.send("POST", "/v1/mappings/import", wrong)
    assert (refused.status, b"mapping 2" in refused.body) == (400, True)
    assert ledger.json("map", "list")["mappings"] == []
    taken = api.send("POST", "/v1/mappings/import", both, tenants={"acme"}).document
    assert ([row["name"] for row in taken["added"]], taken["unchanged"]) == (["search", "sk-*"], 0)
    assert api.send("POST", "/v1/mappings/import", both, tenants={"acme"}).document == {"added": [], "unchanged": 2}
    assert api.get("/v1/mappings", tenants={"acme"}).document["rows"] == taken["added"]
