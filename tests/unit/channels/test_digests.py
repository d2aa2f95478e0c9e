"""What a digest says of what was held."""

import json
from datetime import UTC, datetime
from typing import Any

from rice_stream.channels.definition import Channel, Parcel, Secrets
from rice_stream.channels.digests import digests_of
from rice_stream.channels.messages.making import messages_of


def event(name: str, sequence: int, state: str = "warning", **changes: Any) -> dict[str, Any]:
    """A change of a budget's threshold of 0.8."""
    severity = {"warning": "warning", "exceeded": "critical", "resolved": "info"}[state]
    data: dict[str, Any] = {
        "tenant_id": "acme",
        "budget": name,
        "period": "month",
        "period_start": "2026-11-01T00:00:00Z",
    }
    data |= {"threshold": 0.8, "sequence": sequence, "state": state, "severity": severity, "basis": "actual"}
    return {"id": f"{name}-{sequence}", "data": {**data, **changes}}


def ids(digest: Any) -> list[str]:
    """Of its alerts."""
    return [alert["id"] for alert in digest.content["alerts"]]


def test_of_each_threshold_the_last_change_counts_and_the_worst_comes_first() -> None:
    """What is over comes last; a reminder of an alert says nothing more than the alert."""
    held = [
        event("b", 1),
        event("b", 2, "resolved"),
        event("a", 1),
        event("a", 1),
        event("c", 4, "exceeded", threshold=1.0),
        event("a", 3, "warning", threshold=0.5),
    ]
    [digest] = digests_of(enumerate(held), "slack")
    assert ids(digest) == ["c-4", "a-1", "a-3", "b-2"]
    assert (digest.severity, digest.told) == ("critical", (0, 1, 2, 3, 4, 5))


def test_periods_of_the_calendar_are_told_apart_and_windows_are_not() -> None:
    """The window of a rolling budget has moved on between two changes; and an early warning is not the threshold itself."""
    october = {"period_start": "2026-10-01T00:00:00Z"}
    held = [
        event("a", 1, **october),
        event("a", 2, "resolved", **october),
        event("a", 3),
        event("a", 4, basis="forecast"),
    ]
    rolling = [event("r", 1, period="rolling-7d"), event("r", 2, "resolved", period="rolling-7d", **october)]
    [digest] = digests_of(enumerate([*held, *rolling]), "email")
    assert ids(digest) == ["a-3", "a-4", "a-2", "r-2"]


def test_more_than_one_digest_takes_make_several() -> None:
    """Each tells of its own; where all is over a digest is no more than information."""
    held = [event("a", 1), event("b", 2, "resolved"), event("b", 1), event("c", 1, "resolved")]
    parts = digests_of(enumerate(held), "slack", alerts_max=2)
    assert [(ids(part), part.severity, part.told) for part in parts] == [
        (["a-1", "b-2"], "warning", (0, 1, 2)),
        (["c-1"], "info", (3,)),
    ]
    assert digests_of([], "slack") == []


def test_a_webhook_has_room_for_all_of_its_digests() -> None:
    """As messages they leave nothing out, which programs would not see otherwise."""
    held = [event(f"budget {number}", 1, time="2026-11-22T12:00:00Z", scope="x" * 700) for number in range(60)]
    parts = digests_of(enumerate({**each, "time": "2026-11-22T12:00:00Z"} for each in held), "webhook")
    channel, secrets = Channel("hook", "webhook", "h"), Secrets("https://h.example.com", ("whsec_" + "QUJD" * 8,))
    told = []
    for part in parts:
        parcel = Parcel("msg_1", "digest", part.content)
        [message] = messages_of(parcel, channel, secrets, public_url=None, now=datetime(2026, 11, 23, tzinfo=UTC))
        data = json.loads(message.body)["data"]  # type: ignore[union-attr]
        assert data["left_out"] == 0
        told += [alert["alert_id"] for alert in data["alerts"]]
    assert len(parts) > 1
    assert sorted(told) == sorted(each["id"] for each in held)
