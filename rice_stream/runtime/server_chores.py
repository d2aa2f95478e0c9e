"""All that a server does beside answering and sending; others may do the same at the same time."""

from rice_stream.alerting.delivering import Chore
from rice_stream.runtime.checkpoint_chores import checkpoint_chores
from rice_stream.runtime.closing_chores import closing_chores
from rice_stream.runtime.delivery_chores import delivery_chores
from rice_stream.runtime.restating_chores import restating_chores
from rice_stream.runtime.settings.settings import Settings


def server_chores(settings: Settings) -> tuple[Chore, ...]:
    """For one server."""
    return (
        *delivery_chores(settings),
        *checkpoint_chores(settings),
        *restating_chores(settings),
        *closing_chores(settings),
    )
