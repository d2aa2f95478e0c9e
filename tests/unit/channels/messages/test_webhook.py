"""What a webhook gets."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rice_stream.channels.definition import Channel, Kind, Parcel, Secrets
from rice_stream.channels.keys import key_of
from rice_stream.channels.letters import NOTICE_TYPE, STATEMENT_TYPE, Letter
from rice_stream.channels.messages.webhook import BODY_BYTES_MAX, messages
from rice_stream.channels.signing import verify
from rice_stream.errors import UsageError
from tests.support.alert_events import BACK, EVENT, HOSTILE, changed

NOW = datetime(2026, 11, 22, 19, 5, tzinfo=UTC)
CHANNEL = Channel("ops", "webhook", "https://ops.example/hook")
SECRETS = Secrets("https://ops.example/hook?key=1", (key_of(b"k" * 32), key_of(b"o" * 32)))


def sent(kind: Kind, content: dict[str, Any], secrets: Secrets = SECRETS) -> dict[str, Any]:
    """The body as JSON, after its signature was checked with either key."""
    (message,) = messages(Parcel("msg_1", kind, content), CHANNEL, secrets, public_url=None, now=NOW)
    assert message.url == secrets.address
    assert message.headers["webhook-id"] == "msg_1"
    assert message.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    for key in secrets.keys:
        verify([key], message.headers, message.body, int(NOW.timestamp()))
    assert len(message.body) <= BODY_BYTES_MAX
    body: dict[str, Any] = json.loads(message.body)
    return body


def test_an_alert_is_the_event_that_is_on_the_topic_signed() -> None:
    assert sent("alert", {"alerts": [EVENT]}) == EVENT
    assert sent("alert", {"alerts": [HOSTILE]}) == HOSTILE


def test_a_reminder_and_a_test_have_types_of_their_own() -> None:
    """So that who counts alerts, or acts on them, does neither for these."""
    assert sent("reminder", {"alerts": [EVENT]}) == EVENT | {
        "id": "msg_1",
        "type": "dev.rice.carbon.reminder.v1",
        "time": "2026-11-22T19:05:00Z",
        "data": EVENT["data"] | {"alert_id": EVENT["id"]},
    }
    trial = changed(test=True)
    assert sent("test", {"alerts": [trial]}) == trial | {"type": "dev.rice.carbon.test.v1"}


def test_a_digest_is_one_event_with_what_still_holds_and_what_is_over() -> None:
    assert sent("digest", {"alerts": [EVENT, BACK]}) == {
        "specversion": "1.0",
        "id": "msg_1",
        "source": "/rice-stream",
        "type": "dev.rice.carbon.digest.v1",
        "time": "2026-11-22T19:05:00Z",
        "datacontenttype": "application/json",
        "data": {
            "open": 1,
            "resolved": 1,
            "left_out": 0,
            "alerts": [
                {"alert_id": EVENT["id"], "time": EVENT["time"], **EVENT["data"]},
                {"alert_id": BACK["id"], "time": BACK["time"], **BACK["data"]},
            ],
        },
    }


@pytest.mark.parametrize("event", [EVENT, HOSTILE, changed(budget="ü" * 200, tenant_id="\N{GRINNING FACE}" * 256)])
def test_of_a_digest_that_is_too_long_the_first_alerts_are_sent_and_the_others_counted(event: dict[str, Any]) -> None:
    data = sent("digest", {"alerts": [{**event, "id": str(number)} for number in range(200)]})["data"]
    ids = [alert["alert_id"] for alert in data["alerts"]]
    assert ids == [str(number) for number in range(len(ids))]
    assert (data["open"], data["left_out"]) == (200, 200 - len(ids))
    assert len(ids) >= 8


def test_notices_and_statements_are_events_with_their_data() -> None:
    notice = Letter(
        event_type=NOTICE_TYPE,
        title="Channel ops fails",
        time="2026-11-22T19:00:00Z",
        severity="critical",
        key="channel:ops",
        data={"channel": "ops", "failing_since": "2026-11-21T19:00:00Z"},
    )
    assert sent("notice", notice.content())["data"] == {
        "title": "Channel ops fails",
        "channel": "ops",
        "failing_since": "2026-11-21T19:00:00Z",
        "severity": "critical",
        "resolved": False,
    }
    statement = Letter(
        event_type=STATEMENT_TYPE, title="November", time="2026-12-01T00:00:00Z", subject="acme", data={"gco2e": 1}
    )
    event = sent("statement", statement.content())
    assert (event["type"], event["subject"], event["data"]) == (
        STATEMENT_TYPE,
        "acme",
        {"title": "November", "gco2e": 1},
    )


@pytest.mark.parametrize("secrets", [Secrets(), Secrets("https://ops.example"), Secrets(None, (key_of(b"k" * 32),))])
def test_nothing_is_sent_unsigned_or_nowhere(secrets: Secrets) -> None:
    with pytest.raises(UsageError, match=r"^(secret|url): "):
        messages(Parcel("msg_1", "alert", {"alerts": [EVENT]}), CHANNEL, secrets, public_url=None, now=NOW)
