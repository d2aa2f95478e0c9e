"""The page of budgets: the figures of the API, forms that do what the API does, and nobody else's."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from rice_stream.alerting.judge import Judge
from rice_stream.api.console.pages import budgets_figures
from rice_stream.store.engine import open_engine
from rice_stream.wording.amounts import exact, number, percent, scale_for
from tests.support.api_running import Api
from tests.support.cli_running import Shell
from tests.unit.api.console.reading import ReadPage, read

NEW = {
    "action": "make",
    "name": "acme-month",
    "tenant": "acme",
    "team": "",
    "project": "",
    "user": "",
    "model": "",
    "limit": "0.05",
    "unit": "kgco2e",
    "period": "month",
    "time_zone": "Europe/Berlin",
    "thresholds": "50, 80, 100",
    "estimate": "mid",
    "hysteresis": "5",
    "etag": "",
}
ONE = "/budgets?name=acme-month&tenant=acme"
IN_API = "/v1/budgets/acme-month?tenant=acme"


def put(api: Api, **changes: str) -> None:
    """A budget, by the form."""
    answer = api.fill_in("/budgets", [*{**NEW, **changes}.items()])
    assert answer.status == 303, answer.body


def page(api: Api, path: str, role: str = "reader", **scope: object) -> ReadPage:
    return read(api.send("GET", path, role=role, headers={"accept": "text/html"}, **scope))


def judge(ledger: Shell) -> None:
    """What the worker does with every sweep."""
    engine = open_engine(str(ledger.environment["RICE_DATABASE_URL"]))
    Judge(engine).judge_all(datetime.now(UTC))
    engine.dispose()


def test_a_budget_set_in_the_form_is_one_that_the_api_would_have_made(api: Api, ledger: Shell) -> None:
    put(api)
    made = api.get(IN_API).document
    assert (made["limit"], made["unit"], made["thresholds"], made["hysteresis"]) == (
        50.0,
        "gco2e",
        [0.5, 0.8, 1.0],
        0.05,
    )
    assert (made["time_zone"], made["team_id"]) == ("Europe/Berlin", None)
    [entry] = ledger.json("audit", "list", "--action", "budget.set")["rows"]
    assert entry["actor"]["kind"] == "token"


def test_a_budget_set_in_the_form_alerts_and_the_page_says_so(api: Api, ledger: Shell) -> None:
    """From the form over the worker's judgement to the list, the open alerts and the budget's own history."""
    put(api, limit="0.000001", unit="gco2e", name="tiny")
    before = page(api, "/budgets")
    assert "not announced yet" in before.text
    judge(ledger)
    after = page(api, "/budgets")
    assert "exceeded 1" in after.text
    assert "Exceeded since" in after.text
    assert "waits for the broker" in after.text
    [latest] = [row for row in api.get("/v1/alerts").document["rows"] if row["threshold"] == 1]
    assert latest["state"] == "exceeded"
    own = page(api, "/budgets?name=tiny&tenant=acme")
    assert "50 %, 80 %, 100 % reached" in own.text


@pytest.mark.parametrize("unit", ["gco2e", "kwh"])
def test_the_list_and_the_page_show_what_the_api_answers(api: Api, unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = api.door.product.now()
    monkeypatch.setattr(api.door.product, "now", lambda: now)  # windows move with the minute
    put(api, limit="50", unit=unit)
    [row] = api.get("/v1/budgets?forecast=true").document["rows"]
    kind, size = ("energy", 1000.0) if unit == "kwh" else ("carbon", 1.0)
    scale = scale_for(kind, [row["limit"] * size])  # type: ignore[arg-type]
    used = f"{number(row['consumed'] * size / scale.size)} of {exact(row['limit'] * size / scale.size)}"
    listed, one = page(api, "/budgets"), page(api, ONE)
    for each in (listed, one):
        assert used in each.text
    down = api.get("/v1/budgets/acme-month/burn-down?tenant=acme").document
    assert percent(down["forecast"]["ratio"]).replace("\u202f", " ") in one.text
    [table] = [table for table in one.tables if "Even use" in " ".join(table[0])]
    assert len(table) == len(down["rows"]) + 2
    [paces] = [table for table in one.tables if "Pace" in table[0]]
    assert [cells[-1] for cells in paces[1:]] == [f"{number(each['burn_rate'], 3)}×" for each in down["burn_rates"]]
    same = {name: down[name] for name in ("forecast", "burn_rates", "open_alerts")}
    assert {name: row[name] for name in same if name != "forecast"} == {
        name: same[name] for name in same if name != "forecast"
    }


def test_a_long_list_comes_in_pages_the_most_urgent_first(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each budget is on one page of it, as the API has each on one page of its own; what lies beyond the last page is the last."""
    monkeypatch.setattr(budgets_figures, "LISTED_ROWS", 2)
    names = [f"budget-{place}" for place in range(5)]
    for place, name in enumerate(names):
        put(api, name=name, limit="0.000001" if place == 3 else "1000000", unit="gco2e")
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        answer = api.get(f"/v1/budgets?limit=2{after and f'&after={after}'}").document
        found += [row["name"] for row in answer["rows"]]
        after = answer["next"]
    assert found == names
    pages = [page(api, f"/budgets?page={each}") for each in (1, 2, 3)]
    listed = [
        [cells[0] for table in each.tables for cells in table[1:] if cells[0].startswith("budget-")] for each in pages
    ]
    assert [len(each) for each in listed] == [2, 2, 1]
    assert listed[0][0].startswith("budget-3")
    assert sorted(name.split()[0][:8] for each in listed for name in each) == names
    assert "Budgets 3 to 4 of 5. Those before The next ones" in pages[1].text
    assert "The next ones" not in pages[2].text
    assert "Those before" not in pages[0].text
    assert page(api, "/budgets?page=9").text == pages[2].text


def test_the_forecast_goes_on_from_what_is_used(api: Api) -> None:
    """At the end there is no less than now, and the ends are in order."""
    put(api)
    down = api.get("/v1/budgets/acme-month/burn-down?tenant=acme").document
    ends = down["forecast"]["end_of_period"]
    assert down["consumed_gco2e"]["low"] <= ends["low"] <= ends["mid"] <= ends["high"]
    assert down["consumed"] <= ends["mid"]
    last = [row for row in down["rows"] if row["consumed"] is not None][-1]
    assert (last["consumed_low"], last["consumed_high"]) == (
        down["consumed_gco2e"]["low"], down["consumed_gco2e"]["high"]
    )  # fmt: skip


def test_a_new_budget_is_filled_in_from_thirty_days_at_todays_pace(api: Api) -> None:
    asked = "tenant=acme&team=search&period=month"
    suggested = api.get(f"/v1/suggested-budget?{asked}").document
    begun = api.send("GET", f"/budgets?new=true&{asked}", role="editor", headers={"accept": "text/html"})
    assert suggested["limit_gco2e"] is not None
    assert f'name="limit" required inputmode="decimal" autocomplete="off" value="{suggested["limit_gco2e"]:g}"' in (
        begun.body.decode()
    )
    assert 'value="search month"' in begun.body.decode()
    read(begun)
    nothing = api.send(
        "GET", "/budgets?new=true&tenant=acme&team=nobody", role="editor", headers={"accept": "text/html"}
    )
    assert "Nothing was used by nobody" in read(nothing).text


def test_without_a_budget_the_page_says_what_one_could_be(api: Api) -> None:
    suggested = api.get("/v1/suggested-budget?tenant=acme").document["at_pace_gco2e"]
    scale = scale_for("carbon", [suggested["mid"]])
    shown = page(api, "/budgets", "editor")
    assert "No budget yet" in shown.text
    assert number(suggested["mid"] / scale.size) in shown.text
    assert "/budgets?new=true&tenant=acme" in shown.links
    assert not [link for link in page(api, "/budgets").links if "new" in link]


def test_a_change_needs_the_state_that_was_seen_and_shows_both_otherwise(api: Api, ledger: Shell) -> None:
    put(api)
    tag = api.get(IN_API).headers["etag"]
    form = api.send("GET", f"{ONE}&change=true", role="editor", headers={"accept": "text/html"})
    assert tag.replace('"', "&#34;") in form.body.decode()
    assert (
        ledger.run("budget", "set", "acme-month", "--tenant=acme", "--limit-gco2e=60", "--period=week").exit_code == 0
    )
    wanted = {**NEW, "action": "change", "limit": "70", "unit": "gco2e", "etag": tag}
    refused = api.fill_in("/budgets", [*wanted.items()])
    assert refused.status == 412
    text = refused.body.decode()
    assert "Somebody else has changed it" in text
    assert "<td>60</td><td>70</td>" in text
    assert api.get(IN_API).document["limit"] == 60
    now = api.get(IN_API).headers["etag"]
    assert now.replace('"', "&#34;") in text
    done = api.fill_in("/budgets", [*{**wanted, "etag": now}.items()])
    assert (done.status, api.get(IN_API).document["limit"]) == (303, 70)
    assert "name=acme-month" in done.headers["location"]


def test_a_budget_is_removed_by_a_second_form(api: Api) -> None:
    put(api)
    asked = api.send("GET", f"{ONE}&remove=true", role="editor", headers={"accept": "text/html"})
    assert "Remove “acme-month” of acme?" in read(asked).text
    tag = api.get(IN_API).headers["etag"]
    form = [("action", "remove"), ("name", "acme-month"), ("tenant", "acme"), ("etag", '"0"')]
    assert api.fill_in("/budgets", form).status == 412
    assert api.fill_in("/budgets", [*form[:3], ("etag", tag)]).status == 303
    assert api.get(IN_API).status == 404


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"limit": "much"}, "limit_gco2e"),
        ({"limit": ""}, "limit_gco2e"),
        ({"thresholds": "half"}, "thresholds"),
        ({"thresholds": "5000"}, "thresholds"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"period": "fortnight"}, "period"),
        ({"name": ""}, "name"),
        ({"tenant": "globex"}, "globex"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_entered_is_still_there(api: Api, change: dict[str, str], said: str) -> None:
    given = {**NEW, **change, "name": change.get("name", "entered <b>")}
    answer = api.fill_in("/budgets", [*given.items()], tenants=frozenset({"acme"}))
    assert answer.status in (404, 422)
    text = answer.body.decode()
    assert "Not done" in text
    assert said in text
    if given["name"]:
        assert "entered &lt;b&gt;" in text
    assert "<b>" not in text
    assert api.get("/v1/budgets").document["rows"] == []


def test_a_reader_sees_no_form_and_may_send_none(api: Api) -> None:
    put(api)
    for path in ("/budgets", ONE, f"{ONE}&change=true", f"{ONE}&remove=true", "/budgets?new=true"):
        answer = api.send("GET", path, role="reader", headers={"accept": "text/html"})
        text = answer.body.decode()
        assert 'action="/budgets"' not in text.replace('method="get" action="/budgets"', "")
        assert "Set a budget" not in text
        assert "change=true" not in text.replace(path.replace("&", "&amp;"), "")
    assert api.fill_in("/budgets", [*NEW.items()], role="reader").status == 403


def test_others_budgets_are_not_there(api: Api) -> None:
    put(api)
    assert "acme-month" not in page(api, "/budgets", tenants=frozenset({"globex"})).text
    assert api.get(ONE, tenants=frozenset({"globex"})).status == 404
    assert api.get("/v1/suggested-budget?tenant=acme", tenants=frozenset({"globex"})).status == 404
    assert (
        api.get("/v1/suggested-budget?tenant=acme", tenants=frozenset({"acme"}), teams=frozenset({"search"})).status
        == 404
    )
    assert (
        api.get(
            "/v1/suggested-budget?tenant=acme&team=search", tenants=frozenset({"acme"}), teams=frozenset({"search"})
        ).status
        == 200
    )
    assert api.fill_in("/budgets", [*NEW.items()], tenants=frozenset({"globex"})).status == 404


def test_an_unreadable_budget_says_what_to_do(api: Api, ledger: Shell) -> None:
    put(api)
    with closing(sqlite3.connect(ledger.directory / "rice.db")) as database, database:
        database.execute("UPDATE budget SET time_zone = 'Mars/Olympus'")
    assert "Mars/Olympus" in page(api, "/budgets").text
    assert "Not judged" in page(api, ONE).text
    assert api.send("GET", f"{ONE}&change=true", role="editor", headers={"accept": "text/html"}).status == 200
    assert api.fill_in("/budgets", [*{**NEW, "action": "change", "etag": "*"}.items()]).status == 303


def test_hostile_names_are_text(api: Api) -> None:
    name = "<script>window.owned=1<\\script>"
    put(api, name=name, team="<img src=x onerror=1>")
    for path in (
        "/budgets",
        f"/budgets?name={quote(name)}&tenant=acme",
        f"/budgets?name={quote(name)}&tenant=acme&change=true",
    ):
        text = api.send("GET", path, role="editor", headers={"accept": "text/html"}).body.decode()
        assert "<script>window" not in text
        assert "<img" not in text
