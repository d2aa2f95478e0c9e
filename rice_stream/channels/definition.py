"""What a channel is: where alerts go, and which of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Any, Literal

from rice_stream.budgets.states import Severity

ChannelType = Literal["webhook", "slack", "alertmanager", "pagerduty", "email"]
TYPES: tuple[ChannelType, ...] = ("webhook", "slack", "alertmanager", "pagerduty", "email")
ChannelState = Literal["ok", "failing", "disabled"]
"""`failing`: nothing has arrived for a day; `disabled`: the receiver said that it is gone (410), until the channel is set again."""
Kind = Literal["alert", "reminder", "digest", "test", "notice", "statement"]
"""What a delivery is about: a change of a budget; the same again, because it still holds; what was held over quiet hours; a trial;
a channel that fails; a team's month."""
DeliveryState = Literal["held", "due", "sending", "done", "failed", "dead"]
"""`failed`: it is tried again; `dead`: it is not, until somebody asks for it."""
OPEN_STATES: tuple[DeliveryState, ...] = ("held", "due", "sending", "failed")
RANK: Mapping[Severity, int] = {"info": 0, "warning": 1, "critical": 2}
TAKES_STATEMENTS: frozenset[ChannelType] = frozenset({"webhook", "slack", "email"})
"""The others call people out, for which a month's figures are no reason."""
ALERTMANAGER_AGAIN_S = 120
"""How often Alertmanager is told what still holds: it takes for ended what it has not heard of for a while."""
ALERTMANAGER_ENDED_FOR_S = 900
"""For how long it is told that something has ended: one that was started again meanwhile has forgotten the alert."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When nothing is sent: from one time of the day to another, over midnight where the end is not after the start."""

    start: time
    end: time
    time_zone: str
    breaks_through: Severity | None = "critical"
    """What is sent all the same, and everything worse."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Where alerts go, and which. `tenants` None: of every tenant; `budgets` empty: of every budget.

    `target` is what may be shown of the address; the address itself is among the secrets where it is one.
    """

    name: str
    type: ChannelType
    target: str
    tenants: frozenset[str] | None = None
    budgets: frozenset[str] = frozenset()
    min_severity: Severity = "info"
    """What is less severe is not sent; that a budget is back below a threshold is sent where its crossing was."""
    quiet_hours: QuietHours | None = None
    remind_every_s: int | None = None
    """How often a budget that is still beyond a threshold is told again; None: never."""
    statements: bool = False
    """Whether it gets a statement of each team's month."""
    channel_id: int | None = None


@dataclass(frozen=True, slots=True)
class Secrets:
    """What only the sender may know of a channel. `keys`: what is signed or signed in with, the one in force first.

    | type | `address` | `keys` |
    |---|---|---|
    | webhook | `https://HOST/PATH` | `whsec_...` or `whsk_...`; all of them sign |
    | slack | the incoming webhook, `https://hooks.slack.com/...` | none |
    | alertmanager | `http://HOST:9093`, to which `/api/v2/alerts` is added | none, or a bearer token |
    | pagerduty | where events are taken | the integration's key |
    | email | `smtp://USER@HOST:587?from=ADDRESS&to=ADDRESS,...` | none, or the password |
    """

    address: str | None = None
    keys: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Secrets()"


@dataclass(frozen=True, slots=True)
class Parcel:
    """One delivery as it is sent. `message_id` is the same whenever it is tried: receivers that saw it leave it out."""

    message_id: str
    kind: Kind
    content: Mapping[str, Any]
    """As JSON: `{"alerts": [CloudEvents of budgets, ...]}` of an alert, reminder, digest or test; of a notice or statement
    what `Letter.content` makes (`channels/letters.py`)."""


@dataclass(frozen=True, slots=True)
class HttpMessage:
    """A request that delivers a parcel."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"HttpMessage({len(self.body)} bytes)"  # address and headers may be secret


@dataclass(frozen=True, slots=True)
class MailMessage:
    """A mail that delivers a parcel, as it goes over the wire (RFC 5322)."""

    sender: str
    recipients: tuple[str, ...]
    message: bytes


def posts_again_every_s(channel: Channel) -> int | None:
    """How often a budget that is still beyond a threshold is told again; None: never.

    Alertmanager has to be told whatever is set, at least every `ALERTMANAGER_AGAIN_S`; it repeats to people by its own rules.
    """
    if channel.type != "alertmanager":
        return channel.remind_every_s
    return min(channel.remind_every_s or ALERTMANAGER_AGAIN_S, ALERTMANAGER_AGAIN_S)


def posts_ended_for_s(channel: Channel) -> int:
    """For how long after it is told again, as often, that a budget is back below a threshold."""
    return ALERTMANAGER_ENDED_FOR_S if channel.type == "alertmanager" else 0
