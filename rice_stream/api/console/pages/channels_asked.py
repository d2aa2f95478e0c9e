"""What `/channels` may be asked, and what its forms hold."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import Field

from rice_stream.api.console.asked import PageParameters
from rice_stream.api.console.forms import Blank, PageForm, Text
from rice_stream.api.etags import etag_of
from rice_stream.api.parameters import Moment, Name, RowId
from rice_stream.api.problems import ProblemError
from rice_stream.api.reads.channels import definition
from rice_stream.channels.definition import ChannelType, DeliveryState
from rice_stream.channels.parsing import EVERY_TENANT, NEVER, AskedChannel, parse_channel
from rice_stream.errors import UsageError

_Named = Annotated[Name | None, Blank]
_Id = Annotated[RowId | None, Blank]
_CHECKED = "on"
"""What browsers send of a box that is ticked."""


class ChannelsAsked(PageParameters):
    """Which deliveries: `delivery` is one of them, `before` those before it. `new`, `change` or `remove` of a channel: a form."""

    state: Annotated[DeliveryState | None, Blank] = None
    channel: _Named = None
    alert: _Named = None
    since: Annotated[Moment | None, Blank] = None
    before: _Id = None
    delivery: _Id = None
    new: bool = False
    type: Annotated[ChannelType | None, Blank] = None
    change: _Id = None
    remove: _Id = None
    said: Annotated[Annotated[str, Field(max_length=300)] | None, Blank] = None

    @property
    def narrows(self) -> bool:
        """Whether some deliveries are left out."""
        return any((self.state, self.channel, self.alert, self.since, self.before, self.tenant))


class ChannelForm(PageForm):
    """A change of a channel, or of deliveries. Lists of names have one a line. `of` are the tenants that tell a channel from others
    of its name, and `seen` is the tag of what it was.
    """

    action: Literal["make", "change", "remove", "test", "resend"]
    name: Text = None
    of: list[str]
    seen: Text = None
    type: Text = None
    url: Text = None
    secret: Text = None
    new_secret: Text = None
    tenants: Text = None
    budgets: Text = None
    min_severity: Text = None
    quiet_start: Text = None
    quiet_end: Text = None
    quiet_zone: Text = None
    breaks_through: Text = None
    remind_every: Text = None
    statements: Text = None
    id: Annotated[RowId | None, Blank] = None
    since: Annotated[Moment | None, Blank] = None
    zone: Text = None

    def asked(self) -> AskedChannel:
        """The channel that is wanted. ProblemError 422: a field is not right; no secret is repeated in it."""
        given = {
            name: getattr(self, name) for name in ("name", "type", "url", "secret", "min_severity", "remind_every")
        }
        try:
            return parse_channel(
                {
                    **given,
                    "new_secret": True if self.new_secret == _CHECKED else None,
                    "tenants": lines(self.tenants) or EVERY_TENANT,
                    "budgets": lines(self.budgets),
                    "quiet_hours": self._quiet_hours(),
                    "statements": self.statements == _CHECKED,
                }
            )
        except UsageError as error:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), slug="invalid-parameters") from error

    def _quiet_hours(self) -> Mapping[str, object] | None:
        if self.quiet_start is None and self.quiet_end is None:
            return None
        quiet = {"start": self.quiet_start, "end": self.quiet_end, "time_zone": self.quiet_zone}
        return {**quiet, "breaks_through": self.breaks_through}

    def without_secrets(self) -> "ChannelForm":
        """The form as it may be shown again: address and key are only ever sent."""
        return self.model_copy(update={"url": None, "secret": None})


def lines(text: str | None) -> list[str]:
    """Names, one a line."""
    return [] if text is None else [name for name in (line.strip() for line in text.splitlines()) if name]


def filled_in(channel: Mapping[str, Any], action: Literal["change", "remove"]) -> ChannelForm:
    """The form of a channel as it is."""
    quiet: Mapping[str, str | None] = channel["quiet_hours"] or {}
    every_s = channel["remind_every_s"]
    tenants = [] if channel["tenants"] == EVERY_TENANT else channel["tenants"]
    return ChannelForm(
        action=action,
        id=channel["id"],
        name=channel["name"],
        of=tenants or [EVERY_TENANT],
        seen=etag_of(definition(dict(channel))),
        type=channel["type"],
        tenants="\n".join(tenants),
        budgets="\n".join(channel["budgets"]),
        min_severity=channel["min_severity"],
        quiet_start=quiet.get("start"),
        quiet_end=quiet.get("end"),
        quiet_zone=quiet.get("time_zone"),
        breaks_through=quiet.get("breaks_through") or NEVER,
        remind_every=None if every_s is None else span_text(every_s),
        statements=_CHECKED if channel["statements"] else None,
    )


def span_text(seconds: int) -> str:
    """As `parse_channel` reads it: `4h`."""
    unit, size_s = next(each for each in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)) if seconds % each[1] == 0)
    return f"{seconds // size_s}{unit}"
