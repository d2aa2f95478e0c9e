"""What a webhook gets: a CloudEvent in structured mode, signed by the Standard Webhooks specification.

An alert is the event as it is on the Kafka topic. A reminder, a digest, a test, a notice and a statement have types of their own,
so that who counts alerts counts none of them.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rice_stream.channels.definition import Channel, HttpMessage, Parcel, Secrets
from rice_stream.channels.letters import NOTICE_TYPE, letter_of
from rice_stream.channels.messages.required import required_address
from rice_stream.channels.signing import signed_headers
from rice_stream.instants import epoch_s, epoch_us, rfc3339

REMINDER_TYPE = "dev.rice.carbon.reminder.v1"
DIGEST_TYPE = "dev.rice.carbon.digest.v1"
TEST_TYPE = "dev.rice.carbon.test.v1"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
BODY_BYTES_MAX = 20_000
"""The specification's limit for what every receiver takes."""
SOURCE = "/rice-stream"


def messages(
    parcel: Parcel, channel: Channel, secrets: Secrets, *, public_url: str | None, now: datetime
) -> tuple[HttpMessage, ...]:
    """The one request. UsageError: there is no address, or no key that can sign."""
    body = _body(parcel, now)
    headers = {"Content-Type": CONTENT_TYPE, **signed_headers(secrets.keys, parcel.message_id, body, epoch_s(now))}
    return (HttpMessage(required_address(secrets), body, headers),)


def _body(parcel: Parcel, now: datetime) -> bytes:
    if parcel.kind in ("notice", "statement"):
        return _letter(parcel)
    if parcel.kind == "digest":
        return _digest(parcel, now)
    (alert,) = parcel.content["alerts"]
    if parcel.kind == "test":
        return _json({**alert, "type": TEST_TYPE})
    if parcel.kind == "reminder":
        data = {"alert_id": alert["id"], **alert["data"]}
        return _json({**alert, "id": parcel.message_id, "type": REMINDER_TYPE, "time": _text(now), "data": data})
    return _json(alert)


def _digest(parcel: Parcel, now: datetime) -> bytes:
    """What still holds comes first, the worst first; what has no room is counted."""
    alerts = [{"alert_id": alert["id"], "time": alert["time"], **alert["data"]} for alert in parcel.content["alerts"]]
    shown = list(alerts)
    while len(body := _digest_of(parcel, alerts, shown, now)) > BODY_BYTES_MAX:
        shown = shown[: max(1, len(shown) * 9 // 10)] if len(shown) > 1 else []
    return body


def _digest_of(parcel: Parcel, alerts: list[dict[str, Any]], shown: list[dict[str, Any]], now: datetime) -> bytes:
    resolved = sum(alert["state"] == "resolved" for alert in alerts)
    counts = {"open": len(alerts) - resolved, "resolved": resolved, "left_out": len(alerts) - len(shown)}
    return _json(_event(parcel, DIGEST_TYPE, None, _text(now), {**counts, "alerts": shown}))


def _letter(parcel: Parcel) -> bytes:
    letter = letter_of(parcel.content)
    data = {"title": letter.title, **letter.data}
    if letter.event_type == NOTICE_TYPE:
        data = {**data, "severity": letter.severity, "resolved": letter.is_over}
    return _json(_event(parcel, letter.event_type, letter.subject, letter.time, data))


def _event(parcel: Parcel, kind: str, subject: str | None, time: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": parcel.message_id,
        "source": SOURCE,
        "type": kind,
        **({} if subject is None else {"subject": subject}),
        "time": time,
        "datacontenttype": "application/json",
        "data": data,
    }


def _text(now: datetime) -> str:
    return rfc3339(epoch_us(now))


def _json(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
