"""What became of one try to deliver."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rice_stream.channels.definition import Channel, Parcel, Secrets

GONE = 410
ANSWER_HEAD_BYTES_MAX = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverAnswer:
    """What a receiver answered, or why it did not."""

    status: int | None = None
    """HTTP status or SMTP code; None: there was no answer."""
    head: str | None = None
    """The beginning of what it said, at most a kilobyte."""
    retry_after_s: float | None = None
    """After how long it wants to be asked again."""
    problem: str | None = None
    """Why it was not taken; None: it was. Never holds a secret."""
    digest: str | None = None
    """SHA-256 of what was sent, in hexadecimal digits."""

    @property
    def is_done(self) -> bool:
        """Whether the receiver has it now."""
        return self.problem is None

    @property
    def is_gone(self) -> bool:
        """Whether the receiver said that it is not there any more, and is not to be asked again."""
        return self.status == GONE


Send = Callable[[Parcel, Channel, Secrets], Awaitable[ReceiverAnswer]]
"""Delivers a parcel and says what came back; raises nothing that a receiver can bring about. `alerting/sending.py` does it."""
