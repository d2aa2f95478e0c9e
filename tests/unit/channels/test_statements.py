"""A team's month in words: worked out by hand."""

from typing import Any

from rice_stream.channels.statements import statement_letter


def amounts(prompts: int, energy_wh: float, grams: float, market: float | None = None) -> dict[str, Any]:
    """With a range; by the market as by location, where nothing else is said."""
    carbon = {"low": grams * 0.8, "mid": grams, "high": grams * 1.25}
    by_market = grams if market is None else market
    return {
        "prompts": prompts,
        "facility_energy_wh": energy_wh,
        "carbon_gco2e": carbon,
        "carbon_market_gco2e": by_market,
    }


def figures(**changes: Any) -> dict[str, Any]:
    """A month that is over, as reports have it."""
    return {
        "tenant_id": "acme",
        "team_id": "search",
        "cost_centre": None,
        "month": "2026-10",
        "time_zone": "Europe/Berlin",
        "from": "2026-09-30T22:00:00Z",
        "to": "2026-10-31T23:00:00Z",
        "as_of": "2026-11-03T08:00:00Z",
        "is_over": True,
        "total": amounts(12_345, 30_000.0, 12_000.0),
        "before": amounts(10_000, 25_000.0, 10_000.0),
        "movers": {
            "model": [{"name": "gpt-4o", "gco2e": 9_000.0, "before_gco2e": 6_000.0, "change_gco2e": 3_000.0}],
            "project": [{"name": None, "gco2e": 0.0, "before_gco2e": 500.0, "change_gco2e": -500.0}],
            "user": [{"name": "u-1", "gco2e": 400.0, "before_gco2e": 0.0, "change_gco2e": 400.0}],
        },
        "budgets": [
            {
                "name": "b",
                "limit": 20.0,
                "unit": "gco2e",
                "period": "month",
                "consumed": 12.0,
                "ratio": 0.6,
                "alerts": 1,
            }
        ],
        **changes,
    }


def plain(text: object) -> str:
    """With plain spaces and signs."""
    return (
        str(text).replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-").replace("\N{EN DASH}", "-")
    )


def test_a_statement_says_all_of_a_month_on_one_page() -> None:
    """How much, with its range; against the month before; what moved it; how budgets fared; and where to look."""
    letter = statement_letter(figures())
    assert plain(letter.title) == "search, October 2026: 12.00 kgCO₂e, +20.0 % against September 2026"
    assert [plain(": ".join(fact)) for fact in letter.facts] == [
        "Tenant: acme",
        "Team: search",
        "Month: October 2026, days of Europe/Berlin",
        "Carbon: 12.00 kgCO₂e",
        "Range (80 %): 9.60-15.0 kgCO₂e",
        "Energy: 30.00 kWh",
        "Prompts: 12 345",
        "September 2026: 10.00 kgCO₂e, 10 000 prompts",
    ]
    assert [plain(", ".join(row)) for row in (letter.columns, *letter.rows)] == [
        "What moved it, September 2026, October 2026, Change",
        "Model gpt-4o, 6.000 kgCO₂e, 9.000 kgCO₂e, +3.000 kgCO₂e (+50.0 %)",
        "Without a project, 500.0 gCO₂e, nothing, -500.0 gCO₂e (-100 %)",
        "User u-1, nothing, 400.0 gCO₂e, +400.0 gCO₂e",
    ]
    assert [plain(line) for line in letter.lines] == [
        "Budget b: 60.0 % of 20 gCO₂e a month (12.00 gCO₂e) at the end of the month, 1 alert in the month.",
        "As of 3 Nov 2026. Prompts of the month that arrive later are counted as well, on the page behind the link.",
    ]
    assert (letter.subject, letter.data["team_id"]) == ("acme", "search")
    assert letter.path == (
        "/explore?tenant=acme&team=search&from=2026-09-30T22%3A00%3A00Z&to=2026-10-31T23%3A00%3A00Z&time_zone=Europe%2FBerlin"
    )


def test_carbon_by_the_market_stands_beside_that_by_location_where_it_is_another_one() -> None:
    """Of either month, with its own change: 6 kg after 10 kg is 40 % less, where by location it was 20 % more."""
    bought = statement_letter(figures(total=amounts(12_345, 30_000.0, 12_000.0, market=6_000.0)))
    facts = [plain(": ".join(fact)) for fact in bought.facts]
    assert "By the market: 6.000 kgCO₂e, -40.0 % against September 2026" in facts
    assert facts[-1] == "September 2026: 10.00 kgCO₂e, 10 000 prompts"
    both = figures(total=amounts(1, 1.0, 12_000.0, market=6_000.0), before=amounts(9, 9.0, 10_000.0, market=0.0))
    facts = [plain(": ".join(fact)) for fact in statement_letter(both).facts]
    assert "By the market: 6.000 kgCO₂e" in facts  # no percentage of nothing
    assert facts[-1].startswith("September 2026: 10.00 kgCO₂e (0")
    assert facts[-1].endswith("by the market), 9 prompts")


def test_a_team_that_used_nothing_or_is_new_is_told_so() -> None:
    """There is no percentage of nothing, and no table of no changes; users that cannot be told apart are no change either."""
    nothing: dict[str, Any] = {"model": [], "project": [], "user": None}
    gone = statement_letter(figures(total=None, movers=nothing, budgets=[]))
    assert (gone.title, gone.rows, gone.columns) == ("search, October 2026: nothing was used", (), ())
    assert gone.lines[0] == "Users are not told apart: the records of these months are no longer all kept."
    new = statement_letter(figures(before=None, month="2026-01", is_over=False))
    assert plain(new.title) == "search, January 2026: 12.00 kgCO₂e"
    assert ("December 2025", "nothing") in new.facts
    assert new.lines[-1] == "As of 3 Nov 2026: the month is not over."


def test_a_name_breaks_no_line() -> None:
    """It comes from whoever sends events."""
    letter = statement_letter(figures(team_id="a\nb"))
    assert "\n" not in letter.title
