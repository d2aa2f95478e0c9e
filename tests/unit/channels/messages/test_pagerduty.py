"""What PagerDuty gets."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rice_stream.channels.definition import Channel, Kind, Parcel, Secrets
from rice_stream.channels.letters import NOTICE_TYPE, Letter
from rice_stream.channels.messages.incident import incident_of
from rice_stream.channels.messages.pagerduty import messages
from rice_stream.errors import UsageError
from tests.support.alert_events import BACK, BURN, EVENT, FORECAST, OVER, WARNING, changed

NOW = datetime(2026, 11, 22, 19, 5, tzinfo=UTC)
CHANNEL = Channel("ops", "pagerduty", "https://events.pagerduty.com/v2/enqueue")
SECRETS = Secrets(None, ("R0UT1NGKEY",))


def sent(kind: Kind, content: dict[str, Any], public_url: str | None = "https://rice.example") -> list[dict[str, Any]]:
    """The bodies as JSON."""
    found = messages(Parcel("msg_1", kind, content), CHANNEL, SECRETS, public_url=public_url, now=NOW)
    assert {message.url for message in found} == {"https://events.pagerduty.com/v2/enqueue"}
    bodies = [json.loads(message.body) for message in found]
    assert {body.pop("routing_key") for body in bodies} == {"R0UT1NGKEY"}
    assert all(len(body["dedup_key"]) <= 255 for body in bodies)
    return bodies


def test_an_alert_is_this_event() -> None:
    (event,) = sent("alert", {"alerts": [EVENT]})
    details = event["payload"].pop("custom_details")
    budget = "https://rice.example/budgets?name=team-a-monthly&tenant=acme"
    assert event == {
        "event_action": "trigger",
        "dedup_key": f"rice-{incident_of(EVENT)}",
        "payload": {
            "summary": "team-a-monthly of acme, team search: over its limit, 50.12 kgCO₂e of 50 kgCO₂e",
            "severity": "critical",
            "timestamp": "2026-11-22T19:00:00.250Z",
            "source": "acme",
            "component": "team-a-monthly",
            "group": "acme",
            "class": "actual",
        },
        "client": "rice_stream",
        "client_url": budget,
        "links": [
            {"href": budget, "text": "The budget and its forecast"},
            {
                "href": "https://rice.example/explore?tenant=acme&by=model&from=2026-11-01&team=search",
                "text": "Where it comes from, by model",
            },
        ],
    }
    assert details["Used"] == "50.12 kgCO₂e of 50 kgCO₂e (100.2 %)"
    assert details["consumed_gco2e"] == EVENT["data"]["consumed_gco2e"]
    assert details["alert_id"] == EVENT["id"]


def test_from_the_first_warning_until_it_is_over_it_is_one_incident() -> None:
    """It ends with the last threshold, not with the first one that is left again."""
    events = [sent("alert", {"alerts": [event]})[0] for event in (WARNING, EVENT, BACK, OVER)]
    assert len({event["dedup_key"] for event in events}) == 1
    assert [event["event_action"] for event in events] == ["trigger", "trigger", "trigger", "resolve"]
    assert [event["payload"]["severity"] for event in events[:3]] == ["warning", "critical", "warning"]
    assert sorted(events[3]) == ["dedup_key", "event_action"]
    untold = changed(state="resolved", severity="info", open_thresholds=None)  # of an older version
    assert sent("alert", {"alerts": [untold]})[0]["event_action"] == "resolve"


def test_other_budgets_periods_and_early_warnings_are_other_incidents() -> None:
    others = [
        changed(tenant_id="other"),
        changed(budget="other"),
        changed(period_start="2026-11-30T23:00:00Z"),
        changed(period="rolling-24h"),
        FORECAST,
        BURN,
        changed(basis="burn_rate", threshold=3.0),
    ]
    assert len({incident_of(event) for event in [EVENT, *others]}) == 8
    rolling = changed(period="rolling-24h", period_start="2026-11-22T18:00:00Z")
    assert incident_of(rolling) == incident_of(others[3])  # its start moves with each minute


def test_a_digest_is_an_event_for_each_incident_with_what_became_of_it_last() -> None:
    events = sent("digest", {"alerts": [OVER, EVENT, FORECAST, WARNING]})
    assert [(event["event_action"], event["dedup_key"]) for event in events] == [
        ("resolve", f"rice-{incident_of(EVENT)}"),
        ("trigger", f"rice-{incident_of(FORECAST)}"),
    ]


def test_a_test_is_marked_and_over_at_once() -> None:
    opened, closed = sent("test", {"alerts": [changed(test=True)]}, None)
    assert opened["payload"]["summary"].startswith("[Test] ")
    assert opened["payload"]["custom_details"]["Where it comes from"].startswith("rice-stream totals --tenant acme")
    assert closed == {"event_action": "resolve", "dedup_key": opened["dedup_key"]}
    assert opened["dedup_key"] != f"rice-{incident_of(EVENT)}"


def test_a_channel_that_fails_is_an_incident_until_it_works_again() -> None:
    letter = Letter(
        event_type=NOTICE_TYPE,
        title="Channel ops fails",
        time="2026-11-22T19:00:00Z",
        severity="critical",
        key="channel:ops",
        path="/admin",
    )
    (failing,) = sent("notice", letter.content())
    assert (failing["dedup_key"], failing["event_action"]) == ("rice-channel:ops", "trigger")
    assert failing["links"] == [{"href": "https://rice.example/admin", "text": "The dashboard"}]
    (works,) = sent("notice", letter.content() | {"is_over": True})
    assert works == {"event_action": "resolve", "dedup_key": "rice-channel:ops"}


def test_without_a_key_nothing_is_sent_and_a_statement_is_not_taken() -> None:
    for kind, secrets in (("alert", Secrets()), ("statement", SECRETS)):
        parcel = Parcel("msg_1", kind, {"alerts": [EVENT]})  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"^(secret|statements): "):
            messages(parcel, CHANNEL, secrets, public_url=None, now=NOW)
