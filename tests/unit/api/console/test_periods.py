"""Periods: months and their last line are the API's, files hold the month, and months are closed by who may."""

import csv
import io
import re
import sqlite3
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest

from rice_stream.runtime import month_closing
from rice_stream.runtime.closing_chores import ClosingJob
from rice_stream.runtime.opening import open_store
from rice_stream.wording.amounts import count, in_column, scale_for
from tests.support.api_running import Api
from tests.support.cli_running import Shell
from tests.unit.api.console.reading import PartsOf, ReadPage, read

NOW = datetime(2026, 2, 20, 12, tzinfo=UTC)
MONTHS = (
    "2025-11-30T18:20:00Z",
    "2025-12-05T10:00:00Z",
    "2026-01-31T23:30:00Z",
    "2026-02-03T10:00:00Z",
    "2026-02-19T10:00:00Z",
)


def do_what_is_ordered(api: Api) -> None:
    """As a server of the same database does."""
    settings = api.door.product.settings
    engine = open_store(settings)
    try:
        ClosingJob(settings, waited_s=60.0).work(engine)
    finally:
        engine.dispose()


@pytest.fixture
def served(shell: Shell) -> Api:
    """Five prompts of two tenants over four months, looked at in the last of them."""
    lines = [
        f'{{"event_id": "m-{place}", "tenant_id": "{tenant}", "request_model": "gpt-4o", "input_tokens": {100 * place + 7},'
        f' "output_tokens": 300, "ended_at": "{moment}"}}'
        for place, (moment, tenant) in enumerate(zip(MONTHS, ("acme", "globex", "acme", "acme", "globex"), strict=True))
    ]
    (shell.directory / "events.jsonl").write_text("\n".join(lines))
    assert shell.run("migrate").exit_code == 0
    assert shell.run("ingest", str(shell.directory / "events.jsonl")).exit_code == 0
    assert shell.run("tenant", "set", "globex", "--time-zone=Asia/Kathmandu").exit_code == 0
    api = Api(shell)
    api.door.product.now = lambda: NOW
    return api


def periods(api: Api, query: str = "", **caller: Any) -> ReadPage:
    return read(api.get(f"/periods{query}", **caller))


@pytest.mark.parametrize("zone", ["UTC", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "America/New_York"])
def test_months_and_the_last_line_are_what_the_api_says(served: Api, zone: str) -> None:
    for year in (2025, 2026):
        said = served.get(
            f"/v1/totals?bucket=month&by=month&time_zone={zone}&from={year}-01-01&to={year + 1}-01-01"
        ).document
        carbon = said["total"]["carbon_gco2e"]["mid"]
        scale = scale_for("carbon", [carbon])

        def told(row: dict[str, Any], carbon: float = carbon, scale: Any = scale) -> list[str]:
            amounts = (
                in_column(row["carbon_gco2e"]["mid"], scale, carbon),
                *map(count, (row["prompts"], row["input_tokens"], row["output_tokens"])),
            )
            return [" ".join(each.split()) for each in amounts]

        table = periods(served, f"?year={year}&time_zone={zone}").tables[0]
        seen = [[cells[2].split("–")[0].rsplit(" ", 1)[0], *cells[5:8]] for cells in table[1:] if cells[5] != "0"]
        assert seen == [*map(told, reversed(said["rows"])), told(said["total"])]


def test_tenants_side_by_side_have_one_calendar_and_one_tenant_has_its_own(served: Api) -> None:
    page = periods(served)
    assert "in UTC" in page.text
    grid = next(table for table in page.tables if table[0][1].startswith(("acme", "globex")))
    assert grid[0][0] == "Month"
    assert [row[0] for row in grid[1:]] == ["February so far", "January", "2026"]
    assert "3 prompts" in grid[-1][-1]
    assert "in Asia/Kathmandu" in periods(served, "?tenant=globex").text


def test_the_month_that_runs_is_open_and_compared_with_the_same_days(served: Api) -> None:
    table = periods(served).tables[0]
    assert [row[:2] for row in table[1:3]] == [["February", "open"], ["January", "not closed"]]
    assert table[1][3] == "–", "there was nothing on the first 19 days of January"
    assert table[2][3] != "–", "December had a prompt"


def test_files_hold_the_month(served: Api) -> None:
    links = [unescape(link) for link in periods(served, "?year=2025&time_zone=Asia/Kathmandu").links]
    files = [link for link in links if "format=csv" in link and "from=2025-12-01" in link]
    totals, prompts = ([*csv.DictReader(io.StringIO(served.get(link).body.decode()))] for link in files)
    assert sum(int(row["prompts"]) for row in totals) == len(prompts) == 2
    assert {row["event_id"] for row in prompts} == {"m-0", "m-1"}, "in Kathmandu December had begun"


def test_a_month_is_closed_by_a_form_with_its_checklist(served: Api) -> None:
    """Softly by editors, signed by admins; what is not in order is accepted with a reason; then its checkpoint is there."""
    assert "No month of 2026 is closed yet" in read(served.get("/periods")).text
    asked = "/periods?tenant=acme&close=2026-01"
    assert served.get(asked).status == 403
    page = read(served.get(asked, "editor"))
    assert "Is 2026-01 of acme ready to be closed?" in page.text
    assert "not in order" in page.text
    assert "Times are those of" in page.text
    assert not re.search(r"\d{4}-\d\d-\d\dT", page.text), "instants are told in words"
    assert "An admin of the tenant closes it for good" in page.text
    fields = [("tenant", "acme"), ("month", "2026-01"), ("how", "soft")]
    refused = served.fill_in("/periods", fields)
    assert (refused.status, b"the month is not ready to be closed" in refused.body) == (400, True)
    accepted = [("accept", "unattributed"), ("accept", "coverage")]
    assert served.fill_in("/periods", [*fields, *accepted]).status == 400
    reason = ("reason", "a trial")
    for_good = [*fields[:2], ("how", "hard"), *accepted, reason]
    assert served.fill_in("/periods", for_good).status == 403
    assert served.fill_in("/periods", [*fields, *accepted, reason]).status == 303
    ordered = read(served.get("/periods?tenant=acme&year=2026"))
    assert "2026-01 of acme, softly ordered" in ordered.text
    assert "soft closed" not in ordered.text
    do_what_is_ordered(served)
    shown = read(served.get("/periods?tenant=acme&year=2026"))
    assert "soft closed" in shown.text
    assert "2026-01 of acme, softly done" in shown.text
    assert served.get("/periods/checkpoint?tenant=acme&month=2026-01").status == 404
    assert served.fill_in("/periods", for_good, "admin").status == 303
    do_what_is_ordered(served)
    note = served.get("/periods/checkpoint?tenant=acme&month=2026-01")
    assert note.body.startswith(b"rice-stream/")
    rows = {row["month"]: row for row in served.get("/v1/periods?tenant=acme").document["rows"]}
    assert rows["2026-01"]["checkpoint"].encode() == note.body
    assert (rows["2026-01"]["state"], rows["2026-02"]["state"]) == ("closed", "open")
    record = read(served.get("/prompts/m-2?tenant=acme"))
    assert "2026-01 is closed, with this prompt in it" in record.text
    assert served.get("/v1/proofs/m-2?tenant=acme").document["period"]["records"] == 1


def test_who_may_close_what(served: Api) -> None:
    """A month is a whole tenant's, and signed by its admins only."""
    month = {"tenant_id": "acme", "month": "2025-11", "accept": {"unattributed": "x", "coverage": "x"}}
    assert served.send("POST", "/v1/periods/close", {**month, "tenant_id": "nobody"}, "admin").status == 404
    assert served.send("POST", "/v1/periods/close", month, tenants={"globex"}).status == 404
    team: dict[str, Any] = {"tenants": {"acme"}, "teams": frozenset({"search"})}
    assert served.send("POST", "/v1/periods/close", {**month, "soft": True}, **team).status == 403
    assert served.send("POST", "/v1/periods/close", month).status == 403
    assert served.send("POST", "/v1/periods/close", {**month, "dry_run": True}).document["checklist"][0]["ok"]
    assert served.send("POST", "/v1/periods/close", {**month, "month": "2100-01"}, "admin").status == 400
    ordered = served.send("POST", "/v1/periods/close", month, "admin", tenants={"acme"})
    assert (ordered.status, ordered.document["state"], ordered.document["records_expected"]) == (202, "ordered", 1)
    assert served.send("POST", "/v1/periods/close", month, "admin").document == ordered.document
    place = f"/v1/periods/closings/{ordered.document['closing_id']}"
    assert served.get(place, **team).status == served.get(place, tenants={"globex"}).status == 404
    do_what_is_ordered(served)
    done = served.get(place, tenants={"acme"}).document
    assert (done["state"], done["step"], done["records"], done["problem"]) == ("done", None, 1, None)
    assert served.get("/v1/periods/closings?tenant=acme").document["rows"] == [done]
    assert served.get("/v1/periods/closings", **team).document["rows"] == []
    rows = served.get("/v1/periods?tenant=acme").document["rows"]
    assert [row["state"] for row in rows if row["month"] == "2025-11"] == ["closed"]
    assert served.get("/v1/periods", **team).document["rows"] == []


def test_a_close_that_finds_something_wrong_has_failed_and_says_so(
    served: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only adding up every record shows is found at once of a small month, and of a large one by the server that closes; the
    month stays open."""
    with sqlite3.connect(
        served.door.product.settings.database_url.get_secret_value().removeprefix("sqlite:///")
    ) as store:
        store.execute("UPDATE slot_total SET prompts = prompts + 1")
    month = {"tenant_id": "acme", "month": "2025-11", "accept": {"unattributed": "x", "coverage": "x"}}
    refused = served.send("POST", "/v1/periods/close", month, "admin")
    assert (refused.status, "totals differ from their records" in refused.body.decode()) == (400, True)
    monkeypatch.setattr(month_closing, "_QUICK_PROMPTS_MAX", 0)
    [untold] = [
        line
        for line in served.send("POST", "/v1/periods/close", {**month, "dry_run": True}, "admin").document["checklist"]
        if line["name"] == "totals"
    ]
    assert (untold["ok"], "too many to add up" in untold["found"]) == (None, True)
    place = f"/v1/periods/closings/{served.send('POST', '/v1/periods/close', month, 'admin').document['closing_id']}"
    do_what_is_ordered(served)
    failed = served.get(place).document
    assert failed["state"] == "failed"
    assert "totals differ from their records" in failed["problem"]
    assert "totals differ from their records" in periods(served, "?tenant=acme").text
    assert "closed" not in {row["state"] for row in served.get("/v1/periods").document["rows"]}


def test_months_are_listed_in_pages(served: Api) -> None:
    """Every month once, by tenant and the latest first, however small the pages are."""
    whole = served.get("/v1/periods").document
    assert whole["next"] is None
    assert [(row["tenant_id"], row["month"]) for row in whole["rows"]] == [
        ("acme", "2026-02"),
        ("acme", "2026-01"),
        ("acme", "2025-11"),
        ("globex", "2026-02"),
        ("globex", "2025-12"),
    ]
    seen: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        page = served.get(f"/v1/periods?limit=2{after and f'&after={after}'}").document
        seen += page["rows"]
        after = page["next"]
    assert seen == whole["rows"]


def test_years_without_prompts_say_so(served: Api) -> None:
    assert "Nothing in 2024" in periods(served, "?year=2024").text
    assert "Nothing in 2030" in periods(served, "?year=2030").text


def test_an_empty_ledger_has_no_months(shell: Shell) -> None:
    assert shell.run("migrate").exit_code == 0
    assert "No prompts yet, so no months" in periods(Api(shell)).text


def test_a_caller_sees_their_own_only(served: Api) -> None:
    page = periods(served, tenants={"acme"})
    assert "globex" not in page.text
    assert page.tables[0][-1][5] == "2"
    assert served.get("/periods?tenant=globex", tenants={"acme"}).status == 404


def test_tenants_beyond_the_largest_are_one_column_that_can_be_opened(served: Api) -> None:
    page = periods(served, "?columns=1")
    grid = next(table for table in page.tables if len(table[0]) == 4 and table[0][2].startswith("Other (1)"))
    assert "prompt" in grid[-1][2]
    assert any("columns=4" in link for link in page.links)


@pytest.mark.parametrize("scope", [{}, {"tenants": frozenset({"globex"})}])
def test_corrections_that_come_later_are_those_of_the_whole_page(served: Api, scope: dict[str, Any]) -> None:
    """Of one tenant in its own time zone, of several in one calendar."""
    assert PartsOf(served, "/periods?year=2026", **scope).come_as_the_whole_page("corrections")
    if not scope:
        body = {"from": "2026-01-01", "to": "2026-03-01", "method": "rice-paper", "reason": "a trial", "dry_run": True}
        assert served.send("POST", "/v1/restatements", body).status == 202
        assert PartsOf(served, "/periods?tenant=acme&year=2026").come_as_the_whole_page("corrections")


def test_who_sees_some_teams_only_has_nothing_of_corrections_to_wait_for(served: Api) -> None:
    answer = served.send("GET", "/periods", role="reader", headers={"cookie": "rice-parts=1"}, teams=frozenset({"a"}))
    assert b'class="later' not in answer.body
