"""What `/channels` may be asked."""

from typing import Annotated

from pydantic import Field

from rice_stream.api.console.asked import PageParameters
from rice_stream.api.console.forms import Blank
from rice_stream.api.parameters import Moment, Name, RowId
from rice_stream.channels.definition import DeliveryState

_Named = Annotated[Name | None, Blank]
_Id = Annotated[RowId | None, Blank]


class ChannelsAsked(PageParameters):
    """Which deliveries: `delivery` is one of them, `before` those before it."""

    state: Annotated[DeliveryState | None, Blank] = None
    channel: _Named = None
    alert: _Named = None
    since: Annotated[Moment | None, Blank] = None
    before: _Id = None
    delivery: _Id = None
    said: Annotated[str | None, Blank, Field(max_length=300)] = None

    @property
    def narrows(self) -> bool:
        """Whether some deliveries are left out."""
        return any((self.state, self.channel, self.alert, self.since, self.before, self.tenant))
