"""What Alertmanager gets."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rice_stream.channels.definition import ALERTMANAGER_AGAIN_S, Channel, Kind, Parcel, Secrets
from rice_stream.channels.letters import NOTICE_TYPE, Letter
from rice_stream.channels.messages.alertmanager import HOLDS_S, messages
from rice_stream.errors import UsageError
from tests.support.alert_events import BACK, BURN, ENERGY, EVENT, FORECAST, WARNING, changed

NOW = datetime(2026, 11, 22, 19, 5, tzinfo=UTC)
CHANNEL = Channel("ops", "alertmanager", "http://alertmanager:9093")


def sent(kind: Kind, *events: dict[str, Any], public_url: str | None = "https://rice.example") -> list[dict[str, Any]]:
    """The body as JSON."""
    secrets = Secrets("http://alertmanager:9093/")
    content = {"alerts": list(events)}
    (message,) = messages(Parcel("msg_1", kind, content), CHANNEL, secrets, public_url=public_url, now=NOW)
    assert message.url == "http://alertmanager:9093/api/v2/alerts"
    assert message.headers == {"Content-Type": "application/json"}
    body: list[dict[str, Any]] = json.loads(message.body)
    return body


def test_an_alert_has_labels_that_stay_and_numbers_in_its_annotations() -> None:
    (alert,) = sent("alert", EVENT)
    assert alert["labels"] == {
        "alertname": "RiceCarbonBudget",
        "tenant": "acme",
        "budget": "team-a-monthly",
        "severity": "critical",
        "threshold": "100%",
        "team": "search",
    }
    assert (alert["startsAt"], alert["endsAt"]) == ("2026-11-22T19:00:00.250Z", "2026-11-22T19:13:00Z")
    assert alert["generatorURL"] == "https://rice.example/budgets?name=team-a-monthly&tenant=acme"
    description = alert["annotations"].pop("description").split("\n")
    assert description[0].startswith("The range of the estimate")
    assert "Used: 50.12 kgCO₂e of 50 kgCO₂e (100.2 %)" in description
    assert alert["annotations"] == {
        "summary": "team-a-monthly of acme, team search: over its limit, 50.12 kgCO₂e of 50 kgCO₂e",
        "consumed": "50120.4",
        "limit": "50000.0",
        "unit": "gco2e",
        "ratio": "1.002408",
        "alert_id": EVENT["id"],
        "dashboard": "https://rice.example/budgets?name=team-a-monthly&tenant=acme",
    }
    (again,) = sent("reminder", changed(consumed_gco2e={"low": 1.0, "mid": 60_000.0, "high": 9e5}, ratio=1.2))
    assert again["labels"] == alert["labels"]
    assert again["annotations"]["consumed"] == "60000.0"


def test_what_was_posted_holds_for_more_than_three_times_as_long_as_until_it_is_posted_again() -> None:
    assert HOLDS_S > 3 * ALERTMANAGER_AGAIN_S


def test_the_end_of_an_alert_has_the_labels_of_its_beginning_and_the_time_when_it_was_over() -> None:
    (began,), (ended,) = sent("alert", EVENT), sent("alert", BACK)
    assert ended["labels"] == began["labels"]
    assert ended["endsAt"] == BACK["time"]
    assert "startsAt" not in ended
    (warned,) = sent("alert", WARNING)
    (unwarned,) = sent("alert", changed(state="resolved", severity="info", threshold=0.8))
    assert warned["labels"] == unwarned["labels"] == began["labels"] | {"severity": "warning", "threshold": "80%"}


def test_each_kind_of_early_warning_is_an_alert_of_its_own() -> None:
    """Also a fast burn and a slow one of the same budget."""
    found = [alert["labels"] for alert in sent("digest", EVENT, FORECAST, BURN, ENERGY)]
    names = [(labels["alertname"], labels["threshold"], labels["severity"]) for labels in found]
    assert names == [
        ("RiceCarbonBudget", "100%", "critical"),
        ("RiceCarbonBudgetForecast", "100%", "warning"),
        ("RiceCarbonBudgetBurnRate", "14.4x", "warning"),
        ("RiceCarbonBudget", "80%", "warning"),
    ]
    assert "team" not in found[3]
    (over,) = sent("alert", changed(state="resolved", severity="info", basis="burn_rate", threshold=14.4))
    assert over["labels"] == found[2]


def test_a_test_is_marked_and_over_by_itself() -> None:
    (alert,) = sent("test", changed(test=True), public_url=None)
    assert alert["labels"]["alertname"] == "RiceTest"
    assert alert["annotations"]["summary"].startswith("[Test] ")
    assert alert["annotations"]["command"].startswith("rice-stream totals --tenant acme")
    assert alert["endsAt"] == "2026-11-22T19:10:00Z"
    assert "generatorURL" not in alert


@pytest.mark.parametrize("is_over", [False, True])
def test_a_channel_that_fails_is_an_alert_until_it_works_again(is_over: bool) -> None:
    letter = Letter(
        event_type=NOTICE_TYPE,
        title="Channel ops fails",
        time="2026-11-22T19:00:00Z",
        lines=("Nothing arrives.",),
        facts=(("Last answer", "500"),),
        severity="info" if is_over else "warning",
        key="channel:ops",
        path="/admin",
        is_over=is_over,
    )
    parcel = Parcel("msg_1", "notice", letter.content())
    (message,) = messages(parcel, CHANNEL, Secrets("http://a"), public_url="https://rice.example", now=NOW)
    (alert,) = json.loads(message.body)
    times = (
        {"endsAt": "2026-11-22T19:00:00Z"}
        if is_over
        else {"startsAt": "2026-11-22T19:00:00Z", "endsAt": "2026-11-23T19:05:00Z"}
    )
    assert alert == {
        "labels": {"alertname": "RiceChannelFailing", "subject": "channel:ops", "severity": "warning"},
        "annotations": {"summary": "Channel ops fails", "description": "Nothing arrives.\nLast answer: 500"},
        "generatorURL": "https://rice.example/admin",
        **times,
    }


def test_a_token_is_shown_and_a_statement_is_not_taken() -> None:
    parcel = Parcel("msg_1", "alert", {"alerts": [EVENT]})
    secrets = Secrets("https://am.example/api/v2/alerts", ("t0ken",))
    (message,) = messages(parcel, CHANNEL, secrets, public_url=None, now=NOW)
    assert (message.url, message.headers["Authorization"]) == ("https://am.example/api/v2/alerts", "Bearer t0ken")
    with pytest.raises(UsageError, match=r"^statements: "):
        messages(Parcel("msg_1", "statement", {}), CHANNEL, secrets, public_url=None, now=NOW)
