"""A real Alertmanager: what we post is what it holds, and it neither forgets nor repeats."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rice_stream.alerting.sending import Sender
from rice_stream.channels.answers import ReceiverAnswer
from rice_stream.channels.definition import Channel, Kind, Parcel, Secrets
from rice_stream.channels.messages.alertmanager import HOLDS_S
from rice_stream.feeds.allowed_hosts import AllowedHosts
from rice_stream.sandbox.stack.guard import GUARD, temporary_directory
from tests.support.alert_events import BURN, FORECAST, HOSTILE, changed
from tests.support.alert_receiver import AlertReceiver, alert_receiver
from tests.support.alertmanager import Alertmanager, instant, told
from tests.support.waiting import wait_until

WITHIN_S = 20


@pytest.fixture(scope="module")
def people() -> Iterator[AlertReceiver]:
    with alert_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def alertmanager(people: AlertReceiver) -> Iterator[Alertmanager]:
    directory: Path = temporary_directory("rice-tests-alertmanager-")
    with Alertmanager(directory, people.url) as running:
        yield running
        running.kill()
    GUARD.delete_directory(directory)


def post(
    alertmanager: Alertmanager, kind: Kind, *events: dict[str, Any], now: datetime | None = None
) -> ReceiverAnswer:
    """Send it as a server would."""
    at = datetime.now(UTC) if now is None else now
    sender = Sender(AllowedHosts.parse(["127.0.0.1"]), public_url="https://rice.example", now=lambda: at)
    parcel = Parcel("msg_1", kind, {"alerts": list(events)})
    return asyncio.run(sender.send(parcel, Channel("ops", "alertmanager", "x"), Secrets(alertmanager.url)))


def text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_an_alert_stays_one_whatever_its_numbers_is_told_once_and_ends_once(
    alertmanager: Alertmanager, people: AlertReceiver
) -> None:
    """Posted again with other figures it is the same alert, and people hear of it twice: when it begins and when it is over."""
    people.requests.clear()
    began = datetime.now(UTC) - timedelta(seconds=2)
    event = changed(text(began), budget="stays")
    assert post(alertmanager, "alert", event).is_done
    wait_until(lambda: people.requests, WITHIN_S, "Alertmanager to tell people")
    for number in range(1, 4):
        restated = changed(
            text(began),
            budget="stays",
            ratio=1.0 + number / 10,
            consumed_gco2e={"low": 1.0, "mid": 50_000.0 + number, "high": 9e4},
        )
        now = datetime.now(UTC)
        assert post(alertmanager, "reminder", restated, now=now).is_done
        (alert,) = (each for each in alertmanager.alerts() if each["labels"]["budget"] == "stays")
        assert alert["annotations"]["consumed"] == str(50_000.0 + number)
        assert instant(alert, "startsAt") == datetime.fromisoformat(text(began))
        assert abs(instant(alert, "endsAt") - now - timedelta(seconds=HOLDS_S)) < timedelta(seconds=1)
    over = changed(text(datetime.now(UTC)), budget="stays", state="resolved", severity="info", sequence=4)
    assert post(alertmanager, "alert", over).is_done
    wait_until(
        lambda: len(told([each.body for each in people.requests])) >= 2, WITHIN_S, "Alertmanager to say that it is over"
    )
    assert post(alertmanager, "reminder", over).is_done  # told for a while that it is over, which changes nothing
    assert [each for each in alertmanager.alerts() if each["labels"]["budget"] == "stays"] == []
    assert told([each.body for each in people.requests]) == [
        ("firing", "RiceCarbonBudget", "100%"),
        ("resolved", "RiceCarbonBudget", "100%"),
    ]


def test_each_threshold_and_early_warning_begins_and_ends_for_itself(alertmanager: Alertmanager) -> None:
    """Also with names as those who send events may choose them."""
    started = text(datetime.now(UTC))
    crossed = [
        changed(started, budget="several", threshold=threshold, state=state, severity=severity, sequence=number)
        for number, (threshold, state, severity) in enumerate(
            [(0.5, "warning", "warning"), (0.8, "warning", "warning"), (1.0, "exceeded", "critical")], start=1
        )
    ]
    early = [{**each, "time": started, "data": each["data"] | {"budget": "several"}} for each in (FORECAST, BURN)]
    assert post(alertmanager, "digest", *crossed, *early, {**HOSTILE, "time": started}).is_done

    def held() -> list[tuple[str, str]]:
        found = [each["labels"] for each in alertmanager.alerts() if each["labels"]["budget"] == "several"]
        return sorted((labels["alertname"].removeprefix("RiceCarbonBudget"), labels["threshold"]) for labels in found)

    assert held() == [("", "100%"), ("", "50%"), ("", "80%"), ("BurnRate", "14.4x"), ("Forecast", "100%")]
    over = changed(
        text(datetime.now(UTC)), budget="several", threshold=1.0, state="resolved", severity="info", sequence=4
    )
    assert post(alertmanager, "alert", over).is_done
    assert held() == [("", "50%"), ("", "80%"), ("BurnRate", "14.4x"), ("Forecast", "100%")]


def test_what_is_not_posted_again_is_over_by_itself(alertmanager: Alertmanager) -> None:
    """So nobody is left with an alert of a rice_stream that is gone."""
    long_ago = datetime.now(UTC) - timedelta(seconds=HOLDS_S + 5)
    event = changed(text(long_ago), budget="forgotten")
    assert post(alertmanager, "alert", event, now=long_ago).is_done
    assert [each for each in alertmanager.alerts() if each["labels"]["budget"] == "forgotten"] == []


def test_what_it_does_not_take_is_said_with_its_words(alertmanager: Alertmanager) -> None:
    event = changed("2026-11-22T19:00:00Z", budget="wrong")
    answer = post(alertmanager, "alert", event, now=datetime(2026, 11, 1, tzinfo=UTC))
    assert (answer.status, answer.problem) == (400, "it answered 400")
    assert "start time must be before end time" in (answer.head or "")
