"""What `/channels` shows: from what the API answers of channels and deliveries, within the caller's scope."""

from typing import Any

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.pages.admin_figures import sections_of
from rice_stream.api.console.pages.channels_asked import ChannelsAsked
from rice_stream.api.product import Product
from rice_stream.channels.definition import OPEN_STATES
from rice_stream.errors import NotFoundError
from rice_stream.instants import zone
from rice_stream.reports.channels import KAFKA, STATES, channels
from rice_stream.reports.deliveries import DeliveryFilter, delivery_page, named_delivery
from rice_stream.reports.pages import packed
from rice_stream.reports.tenants import tenants
from rice_stream.store.scope import Scope

ROWS = 25


def listed(product: Product, caller: Caller, asked: ChannelsAsked) -> Figures:
    """All channels, and the deliveries that are asked for, latest first."""
    engine, scope, now = product.engine(), caller.scope(Right.READ), product.now()
    frame = framed(product, caller, asked)
    found = channels(engine, scope, now, tenant=asked.tenant)
    wanted = DeliveryFilter(
        state=asked.state,
        channel=asked.channel,
        alert=asked.alert,
        tenant=asked.tenant,
        since=asked.since,
        time_zone=frame["zone"],
    )
    after = None if asked.before is None else packed(asked.before)
    deliveries = delivery_page(engine, scope, wanted, after=after, limit=ROWS)
    return {
        **frame,
        "channels": found,
        "deliveries": deliveries["rows"],
        "more": deliveries["rows"][-1]["id"] if deliveries["next"] else None,
        "one": None if asked.delivery is None else _one(product, scope, asked.delivery),
        "states": STATES,
        "open_states": OPEN_STATES,
        "kafka": KAFKA,
        "sees_teams": bool(scope.teams),
    }


def framed(product: Product, caller: Caller, asked: ChannelsAsked) -> Figures:
    """Whose, and in which time zone."""
    scope = product.scope(caller, Right.READ, asked.tenant)
    seen = tenants(product.engine(), caller.scope(Right.READ))
    own = [each["time_zone"] for each in seen if asked.tenant in (None, each["tenant_id"])]
    shown = asked.time_zone or (own[0] if len(own) == 1 else product.settings.report_time_zone)
    zone(shown)
    is_admin = caller.may(Right.READ_AUDIT)
    return {
        "meta": product.meta(scope, shown),
        "zone": shown,
        "asked": asked,
        "tenants": [each["tenant_id"] for each in seen],
        "sections": sections_of(caller) if is_admin else {},
        "stands_under": "/admin" if is_admin else "/budgets",
    }


def _one(product: Product, scope: Scope, delivery_id: int) -> dict[str, Any]:
    """NotFoundError: there is none that may be seen."""
    found = named_delivery(product.engine(), scope, delivery_id)
    if found is None:
        raise NotFoundError(f"delivery: there is no {delivery_id} that you may see")
    return found
