"""Messages by the type of a channel."""

from datetime import UTC, datetime

import pytest

from rice_stream.channels.definition import TYPES, Channel, ChannelType, Kind, Parcel, Secrets
from rice_stream.channels.keys import key_of
from rice_stream.channels.letters import NOTICE_TYPE, Letter
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
KINDS: tuple[Kind, ...] = ("alert", "reminder", "digest", "test", "notice")


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_type_of_channel_has_a_message_for_every_kind(type_: ChannelType, kind: Kind) -> None:
    """With a dashboard and without one; the same input is the same message."""
    notice = Letter(event_type=NOTICE_TYPE, title="Channel ops fails", time="2026-11-22T19:00:00Z", key="channel:ops")
    parcel = Parcel("msg_1", kind, notice.content() if kind == "notice" else {"alerts": [EVENT]})
    for public_url in (None, "https://rice.example"):
        made = [
            messages_of(parcel, Channel("ops", type_, "x"), SECRETS[type_], public_url=public_url, now=NOW)
            for _ in range(2)
        ]
        assert made[0] == made[1] != ()
