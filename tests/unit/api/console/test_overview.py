"""`/`: the figures that the API gives for the same questions, of what the caller may see."""

import json
from typing import Any

import pytest

from rice_stream.wording.amounts import amount, percent, range_text
from tests.support.api_running import Api
from tests.support.cli_running import Shell
from tests.unit.api.console.reading import PartsOf, ReadPage, read

ACME = frozenset({"acme"})
_HTML = {"accept": "text/html"}


def _page(api: Api, path: str = "/", **scope: Any) -> ReadPage:
    return read(api.send("GET", path, role="reader", headers=_HTML, **scope))


def _total(api: Api, query: str, **scope: Any) -> dict[str, Any]:
    total: dict[str, Any] = json.loads(api.get(f"/v1/totals?{query}", **scope).body)["total"]
    return total


def _plain(text: str) -> str:
    return " ".join(text.replace("\u202f", " ").split())


def test_headlines_and_feet_are_the_totals_of_the_api(api: Api) -> None:
    for path, narrowed, scope in (
        ("/", "", {}),
        ("/?tenant=acme", "&tenant=acme", {}),
        ("/", "", {"tenants": ACME}),
        ("/", "", {"tenants": ACME, "teams": frozenset({"search"})}),
    ):
        page = _page(api, path, **scope)
        month, week = (_total(api, f"window={window}{narrowed}", **scope) for window in ("mtd", "7d"))
        carbon = month["carbon_gco2e"]
        shown = amount(carbon["mid"], "carbon")
        assert _plain(f"so far {shown} {range_text(carbon, 'carbon')}") in page.text
        foot = page.tables[1][-1]
        assert foot[0] == "All"
        assert foot[-1] == str(week["prompts"])
        assert _plain(amount(week["carbon_gco2e"]["mid"], "carbon")).split()[0] == foot[2].split()[0]


def test_rows_are_tenants_where_several_are_seen_and_teams_where_one_is(api: Api) -> None:
    by_tenant = [row[0] for row in _page(api).tables[1]]
    assert by_tenant == ["Tenant", "acme", "globex", "All"]
    assert [row[0] for row in _page(api, "/?by=team").tables[1]] == ["Team", "search acme", "No team globex", "All"]
    assert [row[0] for row in _page(api, "/?tenant=globex").tables[1]] == ["Team", "No team", "All"]
    assert [row[0] for row in _page(api, tenants=ACME).tables[1]] == ["Team", "search", "All"]


def test_nobody_reads_of_anothers(api: Api) -> None:
    page = _page(api, tenants=ACME)
    assert "globex" not in page.text
    assert "In quarantine" not in page.text
    assert "In quarantine 1" in _page(api).text
    refused = api.send("GET", "/?tenant=globex", role="reader", headers=_HTML, tenants=ACME)
    assert refused.status == 404


def test_a_ledger_of_today_has_nothing_to_be_compared_with(api: Api) -> None:
    text = _page(api).text
    assert "the ledger begins later" in text
    assert "the ledger does not hold the whole week before" in text


def test_how_well_the_carbon_is_known_is_what_coverage_says(api: Api) -> None:
    said = json.loads(api.get("/v1/coverage").body)
    assert said["covered_share"] == pytest.approx(1 - said["fallback_share"]["any"])
    text = _page(api).text
    for tier in said["tiers"]:
        if tier["prompts"]:
            assert _plain(f"{tier['tier']} {percent(tier['share_of_carbon'])}") in text


def test_the_nearest_budget_and_open_alerts_are_told_with_their_counts(api: Api, ledger: Shell) -> None:
    assert "No budget yet" in _page(api).text
    for name, limit in (("<b>near", "1e-6"), ("far", "1000000")):
        ledger.json("budget", "set", name, "--tenant", "acme", "--limit-gco2e", limit, "--period", "month")
    page = _page(api)
    assert "<b>near" in page.text
    assert "exceeded 1 of 2 budgets" in page.text
    assert "far" not in page.text.partition("Open alerts")[2].partition("Health")[0]


def test_the_first_prompt_can_be_sent_as_the_page_says(shell: Shell) -> None:
    shell.json("migrate")
    page = read(Api(shell).send("GET", "/", role="admin", headers={**_HTML, "host": "localhost:8080"}))
    command = page.text.partition("curl ")[2]
    assert command.startswith("http://localhost:8080/v1/events")
    event = json.loads(command.partition("-d '")[2].partition("'")[0])
    assert {"event_id", "ended_at", "tenant_id", "request_model", "input_tokens", "output_tokens"} == set(event)


@pytest.mark.parametrize("scope", [{}, {"tenants": ACME}, {"tenants": ACME, "teams": frozenset({"search"})}])
@pytest.mark.parametrize("path", ["/?by=team", "/?tenant=acme&time_zone=Asia%2FKolkata", "/?by=tenant"])
def test_the_last_seven_days_that_come_later_are_those_of_the_whole_page(
    api: Api, path: str, scope: dict[str, Any]
) -> None:
    assert PartsOf(api, path, **scope).come_as_the_whole_page("week")
