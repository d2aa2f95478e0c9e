"""Messages of any alert: whatever names and figures it has, each type of channel can be told, within the limits of its receiver."""

import json
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.channels.definition import TYPES, Channel, ChannelType, HttpMessage, Kind, MailMessage, Parcel, Secrets
from rice_stream.channels.keys import key_of
from rice_stream.channels.messages.making import messages_of
from tests.support.alert_events import EVENT

NOW = datetime(2026, 11, 22, 19, 5, tzinfo=UTC)
SECRETS: dict[ChannelType, Secrets] = {
    "webhook": Secrets("https://a.example", (key_of(b"k" * 32),)),
    "slack": Secrets("https://hooks.slack.com/x"),
    "alertmanager": Secrets("http://am:9093"),
    "pagerduty": Secrets(None, ("key",)),
    "email": Secrets("smtp://mail.example?from=rice@example.com&to=ops@example.com"),
}
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=256)
OPTIONAL = st.none() | NAMES
AMOUNTS = st.floats(0, 1e15, allow_subnormal=False)
LIMITS = st.integers(1, 2**63 - 1).map(lambda micro: micro / 1e6)


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """Of budgets as people may set them, on what anybody may send."""
    low, mid, high = sorted(draw(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS)))
    data = {
        **EVENT["data"],
        "tenant_id": draw(NAMES),
        "budget": draw(NAMES),
        "scope": {name: draw(OPTIONAL) for name in ("team_id", "project_id", "user_id", "model")},
        "period": draw(st.sampled_from(["day", "month", "rolling-7d"])),
        "time_zone": draw(st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns"])),
        "estimate": draw(st.sampled_from(["low", "mid", "high"])),
        "consumed_gco2e": {"low": low, "mid": mid, "high": high},
        "consumed_kwh": draw(AMOUNTS),
        "ratio": draw(st.floats(0, 1e12)),
        "threshold": draw(st.floats(1e-6, 10)),
        "state": draw(st.sampled_from(["warning", "exceeded", "resolved"])),
        "severity": draw(st.sampled_from(["info", "warning", "critical"])),
        "basis": draw(st.sampled_from(["actual", "forecast", "burn_rate"])),
        "open_thresholds": draw(st.lists(st.floats(1e-6, 10), max_size=3)),
        "event_time_watermark": draw(st.none() | st.just("2026-11-22T18:59:58Z")),
    }
    limit = draw(LIMITS)
    del data["limit_gco2e"]
    data["limit_gco2e" if draw(st.booleans()) else "limit_kwh"] = limit
    if data["basis"] == "forecast":
        date = st.none() | st.just("2026-11-27T08:00:00Z")
        dates = draw(st.none() | st.fixed_dictionaries({"low": date, "mid": date, "high": date}))
        ends = {"low": low, "mid": mid, "high": high}
        data["forecast"] = {"exhausted_at": dates, "end_of_period": ends, "ratio": 1.0, "elapsed_ratio": 0.5}
    if data["basis"] == "burn_rate" and data["state"] != "resolved":
        rates = {"burn_rate_long": draw(AMOUNTS), "burn_rate_short": draw(AMOUNTS)}
        data["burn"] = {"speed": "fast", "long_h": 1.0, "short_h": 5 / 60, **rates}
    return {**EVENT, "data": data}


@settings(max_examples=40, deadline=None)
@given(alerts=st.lists(events(), min_size=1, max_size=3), kind=st.sampled_from(["alert", "reminder", "digest", "test"]))
def test_every_alert_can_be_told_on_every_channel(alerts: list[dict[str, Any]], kind: Kind) -> None:
    parcel = Parcel("msg_1", kind, {"alerts": alerts if kind == "digest" else alerts[:1]})
    for public_url in (None, "https://rice.example"):
        for type_ in TYPES:
            for message in messages_of(
                parcel, Channel("ops", type_, "x"), SECRETS[type_], public_url=public_url, now=NOW
            ):
                _check(type_, message)


def _check(type_: ChannelType, message: HttpMessage | MailMessage) -> None:
    if isinstance(message, MailMessage):
        head = message.message.partition(b"\r\n\r\n")[0]
        assert head.isascii()
        mail = message_from_bytes(message.message, policy=default)
        assert not mail.defects
        assert (mail["To"], mail["Bcc"], len(mail.get_all("Subject", []))) == ("ops@example.com", None, 1)
        return
    body = json.loads(message.body)
    if type_ == "webhook":
        assert len(message.body) <= 20_000
    elif type_ == "slack":
        assert len(body["blocks"]) <= 50
        texts = [block["text"]["text"] for block in body["blocks"] if "text" in block]
        assert all(len(text) <= 3000 for text in texts)
        assert all(0 < len(field["text"]) <= 2000 for block in body["blocks"] for field in block.get("fields", ()))
    elif type_ == "alertmanager":
        assert all(value for alert in body for value in alert["labels"].values())
    elif body["event_action"] == "trigger":
        assert 0 < len(body["payload"]["summary"]) <= 1024
