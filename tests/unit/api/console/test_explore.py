"""Explore: its figures are the API's, each row leads to what it is made of, and where there is nothing it says why."""

import csv
import io
import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rice_stream.wording.amounts import count, in_column, percent, scale_for
from tests.support.api_running import Api
from tests.support.cli_running import Shell
from tests.unit.api.console.reading import PartsOf, ReadPage, read

HTML = {"accept": "text/html"}


def explore(api: Api, query: str = "", **caller: Any) -> ReadPage:
    return read(api.get(f"/explore{query}", **caller))


def linked(page: ReadPage, **wanted: str) -> str:
    """The link of the page to itself with these parameters."""
    for link in page.links:
        parts = urlsplit(unescape(link))
        if parts.path == "/explore" and {n: [v] for n, v in wanted.items()}.items() <= parse_qs(parts.query).items():
            return unescape(link)
    raise AssertionError(page.links)


@pytest.mark.parametrize(
    ("page", "asked"),
    [
        ("", "by=tenant&window=30d&time_zone=UTC"),
        ("?by=team&window=24h", "by=team&window=24h"),
        ("?by=model&tenant=acme&window=mtd", "by=model&tenant=acme&window=mtd"),
        ("?by=data_tier&window=24h", "by=data_tier&window=24h"),
        ("?by=model&team=search&without=team", "by=model&team=search&team=&window=30d"),
        ("?by=region&provider=nobody&without=provider&measure=energy", "by=region&provider=&window=30d"),
    ],
)
def test_rows_and_the_last_line_are_what_the_api_says(api: Api, page: str, asked: str) -> None:
    said = api.get(f"/v1/totals?{asked}&top=7").document
    by, total = said["by"][0], said["total"]
    table = next(table for table in explore(api, page).tables if table[0][1] == "80 % range")
    carbon, energy = total["carbon_gco2e"]["mid"], total["facility_energy_wh"]

    def told(row: dict[str, Any]) -> list[str]:
        amounts = (
            in_column(row["carbon_gco2e"]["mid"], scale_for("carbon", [carbon]), carbon),
            in_column(row["facility_energy_wh"], scale_for("energy", [energy]), energy),
            count(row["prompts"]),
            count(row["input_tokens"]),
            count(row["output_tokens"]),
        )
        return [" ".join(each.split()) for each in amounts]

    def seen(cells: list[str]) -> list[str]:
        return [cells[2].split("–")[0].rsplit(" ", 1)[0], *(cell for cell in cells[5:])]

    *rows, last = table[1:]
    assert [cells[0] for cells in rows] == [row[by] or {"team": "Unattributed"}[by] for row in said["rows"]]
    assert [seen(cells) for cells in rows] == [told(row) for row in said["rows"]]
    assert seen(last) == told(total)
    if "measure" not in page:
        shares = [percent(row["carbon_gco2e"]["mid"] / carbon) for row in said["rows"]]
        assert [cells[3] for cells in rows] == [" ".join(share.split()) for share in shares]


def test_the_bars_add_up_to_the_rows_and_the_headline(api: Api) -> None:
    """By prompts, which are few enough to be written with all digits."""
    page = explore(api, "?by=model&measure=prompts&window=24h&bucket=hour")
    bars = next(table for table in page.tables if table[0][0] == "Hour")
    *hours, last = bars[1:]
    assert [str(sum(int(row[place]) for row in hours)) for place in range(1, len(last))] == last[1:]
    total = api.get("/v1/totals?by=model&window=24h").document["total"]["prompts"]
    assert last[-1] == str(total) == str(sum(int(cell) for cell in last[1:-1]))


def test_a_row_leads_to_what_it_is_made_of_and_a_filter_can_be_taken_away(api: Api) -> None:
    page = explore(api, "?window=24h")
    team = explore(api, linked(page, tenant="acme", by="team").removeprefix("/explore"))
    model = explore(api, linked(team, team="search", by="model", tenant="acme").removeprefix("/explore"))
    assert [row[0] for row in model.tables[1][1:-1]] == ["gpt-4o"]
    region = explore(api, linked(model, model="gpt-4o", by="region").removeprefix("/explore"))
    assert "team search" in region.text
    assert "/prompts/e-1?tenant=acme" in region.links
    assert linked(region, model="gpt-4o", tenant="acme", by="region", window="24h")
    without_team = [link for link in region.links if "team=search" not in link and link.startswith("/explore?")]
    assert any("model=gpt-4o" in link and "tenant=acme" in link for link in without_team)


def test_prompts_without_a_name_are_a_row_that_leads_to_them(api: Api) -> None:
    page = explore(api, "?by=team&window=24h")
    assert "Unattributed" in page.text
    own = explore(api, linked(page, without="team", by="model").removeprefix("/explore"))
    assert [row[0] for row in own.tables[1][1:-1]] == ["no-such-model-of-anybody"]


def test_files_hold_exactly_what_is_shown(api: Api) -> None:
    page = explore(api, "?by=model&team=search&without=team&window=24h&rows=1")
    files = [unescape(link) for link in page.links if link.startswith("/v1/totals?") and "format=csv" in link]
    table, all_rows, by_hour = ([*csv.DictReader(io.StringIO(api.get(link).body.decode()))] for link in files)
    assert [row["other"] for row in table] == ["false", "true"]
    assert [row["model"] for row in all_rows] == ["gpt-4o", "no-such-model-of-anybody"]
    assert sum(int(row["prompts"]) for row in by_hour) == sum(int(row["prompts"]) for row in table) == 3
    assert page.tables[1][1][5] == table[0]["prompts"] or table[0]["prompts"] in page.tables[1][1]


def test_the_chart_is_drawn_from_the_numbers_of_the_table(api: Api) -> None:
    body = api.get("/explore?by=model&window=24h&measure=prompts").body.decode()
    found = re.search(r"data-figures='(.*?)'", body)
    assert found
    chart = json.loads(unescape(found[1]))
    assert sum(sum(each["values"]) for each in chart["series"]) == 3
    assert len(chart["labels"]) == len(chart["series"][0]["values"])
    assert chart["hatched"][-1] == len(chart["labels"]) - 1


def test_too_many_bars_become_coarser_ones_and_the_page_says_so(api: Api) -> None:
    assert "each bar is a day" in explore(api, "?bucket=hour&window=30d").text
    assert "each bar is a" not in explore(api, "?bucket=hour&window=7d").text
    assert "month by month" in explore(api, "?from=2020-01-01&bucket=day").text


def test_it_says_which_filter_empties_it(api: Api) -> None:
    page = explore(api, "?by=model&tenant=acme&team=search&model=no-such-model-of-anybody&window=24h")
    assert "model no-such-model-of-anybody: without it 2 prompts" in page.text
    assert "team search: without it" not in page.text
    both = explore(api, "?team=nobody&model=nothing&window=24h")
    assert "All filters together: without them 3 prompts" in both.text


def test_it_tells_zero_from_what_has_not_arrived_yet(api: Api) -> None:
    assert "Zero in this time" in explore(api, "?from=2020-01-01&to=2020-02-01").text
    assert "Nothing of this time has arrived yet" in explore(api, "?from=2100-01-01").text


def test_an_empty_ledger_says_how_to_send_the_first_prompt(shell: Shell) -> None:
    assert shell.run("migrate").exit_code == 0
    assert "No prompts yet" in explore(Api(shell)).text


def test_a_caller_sees_their_own_only(api: Api) -> None:
    page = explore(api, "?window=24h", tenants={"acme"})
    assert "globex" not in page.text
    assert page.tables[1][0][0] == "Team"
    assert page.tables[1][-1][6] == "2"
    assert "globex" not in explore(api, "?window=24h&by=model", tenants={"acme"}, teams=frozenset({"search"})).text
    assert api.get("/explore?tenant=globex", tenants={"acme"}).status == 404


def test_what_is_asked_for_is_never_markup(api: Api) -> None:
    answer = api.send("GET", "/explore?team=%3Cscript%3Ealert(1)%3C/script%3E%22%27", role="reader", headers=HTML)
    assert answer.status == 200
    assert b"<script>alert" not in answer.body
    assert "team <script>alert(1)</script>" in read(answer).text


@pytest.mark.parametrize("query", ["?by=colour", "?bucket=week", "?window=7d&from=2026-01-01", "?rows=0", "?from=now"])
def test_what_makes_no_sense_is_refused_on_a_page(api: Api, query: str) -> None:
    answer = api.send("GET", f"/explore{query}", role="reader", headers=HTML)
    assert answer.status in (400, 422)
    assert answer.headers["content-type"].startswith("text/html")


def test_what_cannot_be_compared_is_not(api: Api) -> None:
    """Neither with a time without prompts, nor with one in which they had none of the measure."""
    assert "There was nothing in the 24 hours before to compare with" in explore(api, "?window=24h&measure=tokens").text
    assert [row[4] for row in explore(api, "?window=24h&by=team").tables[1][1:]] == ["new", "new", "–"]


@pytest.mark.parametrize(
    "query",
    [
        "?window=30d",
        "?by=model&tenant=acme&rows=1&measure=tokens&window=mtd",
        "?by=user&from=2026-11-01&bucket=hour&measure=energy",
        "?window=mtd&team=nobody",
    ],
)
def test_bars_and_prompts_that_come_later_are_those_of_the_whole_page(api: Api, query: str) -> None:
    assert PartsOf(api, f"/explore{query}").come_as_the_whole_page("bars", "latest") == ("team=nobody" not in query)
