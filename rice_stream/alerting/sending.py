"""Sending one delivery: what its channel is told, over HTTP or by mail, and what came back."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rice_stream.channels.addresses import secret_parts
from rice_stream.channels.answers import ReceiverAnswer
from rice_stream.channels.definition import Channel, HttpMessage, MailMessage, Parcel, Secrets
from rice_stream.channels.messages.making import messages_of
from rice_stream.errors import UsageError
from rice_stream.feeds.allowed_hosts import AllowedHosts

if TYPE_CHECKING:
    from rice_stream.feeds.mail import MailServers
    from rice_stream.feeds.receivers import Receivers

_HIDDEN = "•••"
_SECRET_LENGTH_MIN = 6
"""What is shorter is a word of any answer."""


class Sender:
    """Sends deliveries; `send` is a `channels.answers.Send`. It may send several at once, and keeps nothing open between."""

    def __init__(
        self,
        allowed: AllowedHosts,
        *,
        public_url: str | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        receivers: "Receivers | None" = None,
        mail_servers: "MailServers | None" = None,
    ) -> None:
        """`allowed`: internal receivers that may be reached; `public_url`: where the dashboard is, for links."""
        self._public_url = public_url
        self._now = now
        self._allowed = allowed
        self._receivers = receivers
        self._mail_servers = mail_servers

    async def send(self, parcel: Parcel, channel: Channel, secrets: Secrets) -> ReceiverAnswer:
        """Deliver it. Where it takes several messages, they are sent until one is not taken; sent twice they do no harm."""
        try:
            messages = messages_of(parcel, channel, secrets, public_url=self._public_url, now=self._now())
        except UsageError as error:
            return ReceiverAnswer(problem=str(error))
        digest = hashlib.sha256()
        answer = ReceiverAnswer(problem="there is nothing to send")
        for message in messages:
            digest.update(message.body if isinstance(message, HttpMessage) else message.message)
            answer = await self._sent(message, secrets)
            if not answer.is_done:
                break
        return replace(
            answer,
            head=_without_secrets(answer.head, channel, secrets),
            problem=_without_secrets(answer.problem, channel, secrets),
            digest=digest.hexdigest(),
        )

    async def _sent(self, message: HttpMessage | MailMessage, secrets: Secrets) -> ReceiverAnswer:
        # Loaded with the first that is sent, not at the start of a server.
        if isinstance(message, HttpMessage):
            from rice_stream.feeds.receivers import Receivers

            self._receivers = self._receivers or Receivers(self._allowed)
            return await self._receivers.post(message)
        from rice_stream.feeds.mail import MailServers

        self._mail_servers = self._mail_servers or MailServers(self._allowed)
        return await self._mail_servers.send(message, secrets)


def _without_secrets(text: str | None, channel: Channel, secrets: Secrets) -> str | None:
    """Receivers repeat what they were sent; what is secret of it is neither stored nor shown."""
    if text is None:
        return None
    of_address = () if secrets.address is None else secret_parts(channel.type, secrets.address)
    # The longest first: one may be a part of another.
    for secret in sorted({*of_address, *secrets.keys}, key=len, reverse=True):
        if len(secret) >= _SECRET_LENGTH_MIN:
            text = text.replace(secret, _HIDDEN)
    return text
