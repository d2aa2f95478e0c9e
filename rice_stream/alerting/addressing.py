"""Alerts addressed: for each, the deliveries to the channels that want it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.states import Transition
from rice_stream.channels.routing import routed_severity, wants
from rice_stream.store.channel_store import StoredChannel, load_channels
from rice_stream.store.delivery_store import NewDelivery, add_deliveries
from rice_stream.store.engine import Connection


class Announced(NamedTuple):
    """A change of a budget, with the CloudEvent that tells of it."""

    budget: Budget
    transition: Transition
    event: Mapping[str, Any]


def lane_of(budget_id: int) -> str:
    """The lane of what is told of a budget: in the order in which it happened."""
    return f"budget:{budget_id}"


def address(connection: Connection, announced: Sequence[Announced]) -> None:
    """Store a delivery for every channel that wants an alert, as part of the transaction that stores the alerts."""
    if not announced:
        return
    channels = load_channels(connection)
    if channels:
        add_deliveries(connection, [each for one in announced for each in _deliveries(channels, one)])


def _deliveries(channels: Sequence[StoredChannel], announced: Announced) -> list[NewDelivery]:
    budget, severity = announced.budget, routed_severity(announced.transition)
    if budget.budget_id is None:
        raise ValueError(f"budget {budget.name!r} is not stored")
    common: dict[str, Any] = {
        "kind": "alert",
        "cause": announced.event["id"],
        "content": {"alerts": [announced.event]},
        "alert_id": announced.event["id"],
        "tenant_id": budget.tenant_id,
        "lane": lane_of(budget.budget_id),
        "severity": severity,
    }
    wanting = [each for each in channels if wants(each.channel, budget.tenant_id, budget.name, severity)]
    return [NewDelivery(each.id, each.channel.name, **common, **_state(each)) for each in wanting]


def _state(channel: StoredChannel) -> dict[str, Any]:
    """What a disabled channel is not sent is written down all the same: it can be asked for when the channel is set again."""
    if channel.is_sent_to:
        return {}
    return {"state": "dead", "problem": f"the channel is disabled: {channel.last_error}"}
