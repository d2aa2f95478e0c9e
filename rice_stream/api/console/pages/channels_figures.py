"""What `/channels` shows: from what the API answers of channels and deliveries, within the caller's scope."""

from collections.abc import Mapping, Sequence
from typing import Any

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.pages.admin_figures import sections_of
from rice_stream.api.console.pages.channels_asked import ChannelForm, ChannelsAsked, filled_in
from rice_stream.api.product import Product
from rice_stream.channels.definition import OPEN_STATES, TYPES
from rice_stream.errors import NotFoundError
from rice_stream.instants import zone
from rice_stream.reports.budgets import budget_names
from rice_stream.reports.channels import EVERY_TENANT, KAFKA, STATES, channels
from rice_stream.reports.deliveries import DeliveryFilter, delivery_page, named_delivery
from rice_stream.reports.pages import packed
from rice_stream.reports.tenants import tenants
from rice_stream.store.scope import Scope

ROWS = 25
_NAMES_MAX = 40


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
    own_ids = changeable(caller, found)
    own = [{**each, "is_own": each["id"] in own_ids} for each in found]
    return {
        **frame,
        "channels": own,
        "own_ids": own_ids,
        "not_arrived": sum(each["deliveries"][state] for each in own for state in ("failed", "dead") if each["is_own"]),
        "deliveries": deliveries["rows"],
        "more": deliveries["rows"][-1]["id"] if deliveries["next"] else None,
        "one": None if asked.delivery is None else _one(product, scope, asked.delivery),
        "states": STATES,
        "open_states": OPEN_STATES,
        "kafka": KAFKA,
        "sees_teams": bool(scope.teams),
        "may_set": may_set(caller),
    }


def beginning(product: Product, caller: Caller, asked: ChannelsAsked) -> Figures:
    """The form of a new channel, of one as it is, or the question whether to remove it. NotFoundError: there is none."""
    chosen = asked.change or asked.remove
    if chosen is None:
        tenants = caller.scope(Right.WRITE).tenants
        form = ChannelForm(action="make", of=[], type=asked.type, tenants="\n".join(sorted(tenants or ())))
        return {**_formed(product, caller), "form": form, "target": None}
    found = channels(product.engine(), caller.scope(Right.WRITE), product.now())
    one = next((each for each in found if each["id"] == chosen), None)
    if one is None:
        raise NotFoundError(f"channel: there is no {chosen} that you may change")
    form = filled_in(one, "change" if asked.change else "remove")
    return {**_formed(product, caller), "form": form, "target": one["target"]}


def entered(product: Product, caller: Caller, form: ChannelForm) -> Figures:
    """The form as it was sent, but for what is secret."""
    return {**_formed(product, caller), "form": form.without_secrets(), "target": None}


def _formed(product: Product, caller: Caller) -> Figures:
    return {
        **framed(product, caller, ChannelsAsked()),
        "types": TYPES,
        "budget_names": budget_names(product.engine(), caller.scope(Right.WRITE))[:_NAMES_MAX],
        "zones": sorted({each["time_zone"] for each in tenants(product.engine(), caller.scope(Right.READ))} | {"UTC"}),
        "sees_everything": caller.scope(Right.WRITE).is_everything,
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


def may_set(caller: Caller) -> bool:
    """Channels take alerts of every team of a tenant: who sees some teams only sets none."""
    return caller.may(Right.WRITE) and not caller.scope(Right.WRITE).teams


def changeable(caller: Caller, found: Sequence[Mapping[str, Any]]) -> set[int]:
    """The ids of those whose tenants are all among those that the caller may change something of."""
    scope = caller.scope(Right.WRITE)

    def is_own(channel: Mapping[str, Any]) -> bool:
        if channel["tenants"] == EVERY_TENANT:
            return scope.tenants is None
        return all(map(scope.has_tenant, channel["tenants"]))

    return {each["id"] for each in found if each["id"] is not None and is_own(each)} if may_set(caller) else set()
