"""What goes over the wire for a delivery, by the type of its channel."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from rice_stream.channels.definition import Channel, ChannelType, HttpMessage, MailMessage, Parcel, Secrets
from rice_stream.channels.messages import alertmanager, email, pagerduty, slack, webhook


class _Makes(Protocol):
    def __call__(
        self, parcel: Parcel, channel: Channel, secrets: Secrets, *, public_url: str | None, now: datetime
    ) -> tuple[HttpMessage | MailMessage, ...]: ...


_MAKERS: Mapping[ChannelType, _Makes] = {
    "webhook": webhook.messages,
    "slack": slack.messages,
    "alertmanager": alertmanager.messages,
    "pagerduty": pagerduty.messages,
    "email": email.messages,
}


def messages_of(
    parcel: Parcel, channel: Channel, secrets: Secrets, *, public_url: str | None, now: datetime
) -> tuple[HttpMessage | MailMessage, ...]:
    """The messages that deliver a parcel, to be sent in this order; more than one where a receiver takes one alert at a time.

    `public_url` is where the dashboard is (None: nothing links to it). UsageError: the channel cannot take it, or something is
    missing among its secrets; says what.
    """
    return _MAKERS[channel.type](parcel, channel, secrets, public_url=public_url, now=now)
