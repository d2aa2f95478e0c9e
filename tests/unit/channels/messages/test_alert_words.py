"""Alerts in words."""

import pytest

from rice_stream.channels.messages.alert_words import AlertWords
from tests.support.alert_events import BACK, BURN, ENERGY, EVENT, FORECAST, HOSTILE, OVER, WARNING, changed


@pytest.mark.parametrize(
    ("event", "title"),
    [
        (EVENT, "team-a-monthly of acme, team search: over its limit, 50.12 kgCO₂e of 50 kgCO₂e"),
        (WARNING, "team-a-monthly of acme, team search: 80 % of its limit reached, 40.01 kgCO₂e of 50 kgCO₂e"),
        (
            changed(threshold=1.2),
            "team-a-monthly of acme, team search: 120 % of its limit reached, 50.12 kgCO₂e of 50 kgCO₂e",
        ),
        (BACK, "team-a-monthly of acme, team search: back below 100 % of 50 kgCO₂e"),
        (OVER, "team-a-monthly of acme, team search: its month is over, at 100.2 % of 50 kgCO₂e"),
        (
            ENERGY,
            "team-a-monthly of acme, project chat, model llama-3-70b: 80 % of its limit reached, 2.123 kWh of 2.5 kWh",
        ),
        (
            FORECAST,
            (
                "team-a-monthly of acme, team search: will not last its month at this pace:"
                " 50 kgCO₂e will be used up on 27 Nov 2026"
            ),
        ),
        (
            changed(state="resolved", basis="forecast"),
            "team-a-monthly of acme, team search: lasts its month again at this pace",
        ),
        (BURN, "team-a-monthly of acme, team search: burns more than 14.4 times as fast as it can last"),
        (
            changed(state="resolved", basis="burn_rate", threshold=14.4),
            "team-a-monthly of acme, team search: no longer burns more than 14.4 times as fast as it can last",
        ),
        (
            changed(limit_gco2e=0.1 + 0.2, consumed_gco2e={"low": 0.1, "mid": 0.31, "high": 0.5}),
            "team-a-monthly of acme, team search: over its limit, 310.0 mgCO₂e of 300 mgCO₂e",
        ),
    ],
)
def test_the_title_says_whose_budget_it_is_and_what_has_happened(event: dict[str, object], title: str) -> None:
    assert AlertWords(event).title == title


def test_the_figures_are_these() -> None:
    """Each with its unit, in the budget's time zone."""
    assert AlertWords(EVENT).facts == (
        ("Tenant", "acme"),
        ("Team", "search"),
        ("Used", "50.12 kgCO₂e of 50 kgCO₂e (100.2 %)"),
        ("Range (80 %)", "31.0 to 81.0 kgCO₂e"),
        ("Period", "month from 1 Nov 2026, 00:00 to 1 Dec 2026, 00:00 (Europe/Berlin)"),
        ("Since", "22 Nov 2026, 20:00 (Europe/Berlin)"),
        ("Counted up to", "22 Nov 2026, 19:59 (Europe/Berlin)"),
    )
    assert AlertWords(ENERGY).facts == (
        ("Tenant", "acme"),
        ("Project", "chat"),
        ("Model", "llama-3-70b"),
        ("Used", "2.123 kWh of 2.5 kWh (84.9 %)"),
        ("Period", "the last 24 hours"),
        ("Since", "22 Nov 2026, 19:00 (UTC)"),
        ("Counted up to", "22 Nov 2026, 18:59 (UTC)"),
    )
    assert ("Judged by", "the low end of its range") in AlertWords(changed(estimate="low")).facts
    assert "Counted up to" not in dict(
        AlertWords(changed() | {"data": EVENT["data"] | {"event_time_watermark": None}}).facts
    )


def test_early_warnings_say_what_they_rest_on() -> None:
    assert AlertWords(FORECAST).facts[4:6] == (
        ("Forecast for its end", "61.2 kgCO₂e (51.0 to 80.0)"),
        ("Used up", "between 25 Nov 2026 and 29 Nov 2026"),
    )
    assert ("Burn rate", "16.2 times as fast as it can last over 1 h, 21.5 over 5 min") in AlertWords(BURN).facts


def test_what_is_not_certain_and_what_still_holds_is_said() -> None:
    assert AlertWords(EVENT).lines == (
        "The range of the estimate (31.0 to 81.0 kgCO₂e) holds 100 % of the limit: it may not have been reached yet.",
    )
    certain = changed(consumed_gco2e={"low": 50_000.0, "mid": 50_120.4, "high": 81_000.0})
    assert AlertWords(certain).lines == ()
    assert AlertWords(BACK).lines == ("It is still beyond 80 % of its limit.",)
    assert AlertWords(OVER).lines == AlertWords(ENERGY).lines == AlertWords(FORECAST).lines == ()


def test_links_lead_to_the_budget_and_to_what_used_it_and_a_command_stands_in_where_there_is_no_dashboard() -> None:
    words = AlertWords(EVENT)
    assert words.links("https://rice.example/") == (
        ("The budget and its forecast", "https://rice.example/budgets?name=team-a-monthly&tenant=acme"),
        (
            "Where it comes from, by model",
            "https://rice.example/explore?tenant=acme&by=model&from=2026-11-01&team=search",
        ),
    )
    assert words.links(None) == ()
    assert words.command == ("rice-stream totals --tenant acme --team search --by model --from 2026-10-31T23:00:00Z")


def test_names_neither_break_lines_nor_turn_text_around_nor_reach_into_links_and_commands() -> None:
    words = AlertWords(HOSTILE)
    told = [words.title, *words.lines, *(text for fact in words.facts for text in fact), words.command]
    assert not [text for text in told if "\n" in text or "\r" in text or "\u202e" in text]
    assert len(words.title) < 400
    address = words.links("https://rice.example")[0][1]
    assert address.startswith("https://rice.example/budgets?name=%E2%80%AE%2Ax%2A%0A.%3Cscript%3E")
    assert "--tenant '<!channel>&" in words.command


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        ("pace", "lasts its month again at this pace"),
        ("limit", "its limit itself is reached, so the early warning ends"),
        ("period", "its month is over, and the early warning with it"),
        ("settings", "its early warning was switched off"),
    ],
)
def test_an_early_warning_that_ends_says_why(why: str, expected: str) -> None:
    """A limit that is reached is no good news."""
    assert expected in AlertWords(changed(state="resolved", basis="forecast", ended_by=why)).title
