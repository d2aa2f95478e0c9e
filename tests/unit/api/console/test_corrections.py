"""Corrections on pages: the bridge adds up, reported and restated are a switch, and an event is voided with a reason."""

from typing import Any

import pytest

from rice_stream.api.console.drawing.bridges import bridge_bars
from tests.support.api_running import Api
from tests.support.cli_running import Shell
from tests.unit.api.console.reading import read

HTML = {"accept": "text/html"}


def voided(api: Api, event_id: str = "e-1") -> None:
    """By the page's form."""
    answer = api.fill_in(f"/prompts/{event_id}", [("reason", "a load test")])
    assert (answer.status, answer.headers["location"]) == (303, f"/prompts/{event_id}")


def amounts(grams: float, prompts: int = 0) -> dict[str, Any]:
    """As a bridge has them."""
    return {"prompts": prompts, "carbon_ugco2e": round(grams * 1e6), "carbon_gco2e": grams}


def test_an_event_is_voided_with_a_reason(api: Api, ledger: Shell) -> None:
    """Who may change things has the form; the record says what has corrected it."""
    assert "Void it" in read(api.send("GET", "/prompts/e-1", headers=HTML)).text
    assert "Void it" not in read(api.send("GET", "/prompts/e-1", role="reader", headers=HTML)).text
    assert api.fill_in("/prompts/e-1", [("reason", "no")], role="reader").status == 403
    assert api.fill_in("/prompts/no-such", [("reason", "no")]).status == 404
    refused = api.fill_in("/prompts/e-1", [("reason", " ")])
    assert refused.status == 400
    assert b"Not done" in refused.body
    voided(api)
    page = read(api.send("GET", "/prompts/e-1", headers=HTML))
    assert "It was voided" in page.text
    [table] = [table for table in page.tables if table[0][0] == "Posted"]
    assert [row[1] for row in table[1:]] == ["Voided events"]
    assert "a load test" in page.text
    assert ledger.json("totals", "--tenant=acme")["total"]["prompts"] == 1


def test_reported_and_restated_are_a_switch(api: Api) -> None:
    """On Explore and Periods, and in their files."""
    voided(api)
    shown = {}
    for how in ("restated", "reported"):
        page = read(api.send("GET", f"/explore?tenant=acme&measure=prompts&as={how}", headers=HTML))
        assert ("As reported: records" in page.text) == (how == "reported")
        shown[how] = page.tables[0][-1]
    assert shown["restated"][1:] != shown["reported"][1:]
    assert ("1" in shown["restated"], "2" in shown["reported"]) == (True, True)
    page = read(api.send("GET", "/periods?tenant=acme&as=reported", headers=HTML))
    assert "As reported: records" in page.text


def test_periods_have_the_bridge_and_the_restatements(api: Api, ledger: Shell) -> None:
    """Its last line is what the months add up to; for those who see some teams only there is none."""
    assert "was corrected" in read(api.send("GET", "/periods", headers=HTML)).text
    voided(api)
    arguments = ["--from=2020-01-01", "--to=2100-01-01", "--method=rice-paper", "--reason=by the paper"]
    ledger.json("restate", *arguments)
    page = read(api.send("GET", "/periods", headers=HTML))
    [bridge] = [table for table in page.tables if table[0][0] == "Because of"]
    assert [row[0] for row in bridge[1:]][:2] == ["As reported", "Another method"]
    assert [row[0] for row in bridge[1:]][-2:] == ["Voided events", "As restated"]
    assert "by the paper" in page.text
    team = read(api.send("GET", "/periods", headers=HTML, tenants={"acme"}, teams=frozenset({"search"})))
    assert not [table for table in team.tables if table[0][0] == "Because of"]


@pytest.mark.parametrize(
    ("reported", "steps", "low"), [(100.0, (5.0, -20.0), 80.0), (100.0, (300.0, -50.0), 0.0), (0.0, (4.0,), 0.0)]
)
def test_each_bar_begins_where_the_one_before_ends(reported: float, steps: tuple[float, ...], low: float) -> None:
    """Of small changes the axis is cut, so that they are seen."""
    named = [{"cause": cause, **amounts(grams)} for cause, grams in zip(("method", "void"), steps, strict=False)]
    nothing = {"cause": "late", **amounts(0.0)}
    bridge = {
        "reported": amounts(reported, 3),
        "steps": [*named, nothing],
        "restated": amounts(reported + sum(steps), 2),
    }
    drawn = bridge_bars(bridge)
    assert drawn.low_gco2e == low
    assert len(drawn.bars) == 2 + len(steps)
    at = drawn.bars[0].reach
    for bar in drawn.bars[1:-1]:
        ends = (bar.left, bar.left + bar.width)
        assert min(abs(at - end) for end in ends) < 0.01
        assert all(-0.01 <= end <= 100.01 for end in ends)
        at = bar.reach
    assert at == pytest.approx(drawn.bars[-1].width, abs=0.01)


@pytest.mark.parametrize("event_id", ["9" * 5_000, "no-such-event", "%00"], ids=["long", "unknown", "NUL"])
def test_what_is_not_there_is_not_voided(api: Api, event_id: str) -> None:
    """Whatever the address says: the answer is that of a page that is not there."""
    assert api.fill_in(f"/prompts/{event_id}", [("reason", "wrong")]).status in (404, 422)
