"""GET /v1/channels and /v1/deliveries: where alerts are sent, and what became of each. Never a secret."""

from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Response
from pydantic import Field

from rice_stream.alerting.channels import named_channel
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.etags import etag_of
from rice_stream.api.pages import paged
from rice_stream.api.parameters import Moment, Name, Page, Parameters, RowId
from rice_stream.api.problems import not_found
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.channels.definition import DeliveryState
from rice_stream.channels.parsing import EVERY_TENANT, KAFKA
from rice_stream.reports.channels import channels
from rice_stream.reports.deliveries import DeliveryFilter, delivery_page, named_delivery

_DELIVERIES = "/v1/deliveries"
_Reader = Annotated[Caller, Depends(needs(Right.READ))]


class ChannelsParameters(Parameters):
    """Which channels."""

    tenant: Name | None = Field(None, description="Those that get alerts of this tenant")


class OfTenants(Parameters):
    """Which of several channels of one name."""

    tenant: list[Name] = Field(
        default_factory=list,
        max_length=1_000,
        description=f"All tenants of the channel (`{EVERY_TENANT}`: every one), where several have its name",
    )


class DeliveryParameters(Page):
    """Which deliveries."""

    state: DeliveryState | None = None
    channel: Name | None = Field(None, description="The channel's name")
    tenant: Name | None = Field(None, description="What is about this tenant")
    alert: str | None = Field(None, max_length=100, description="What is about the alert of this id")
    since: Moment | None = Field(None, description="What was stored at this instant (or day of UTC) or later")


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.get("/v1/channels", summary="Channels that alerts are sent to; `kafka` is always there", tags=["channels"])
    async def _channels(asked: Annotated[ChannelsParameters, Query()], caller: _Reader) -> dict[str, Any]:
        return {"rows": await product.ask(answer_channels, product, caller, asked.tenant)}

    @app.get("/v1/channels/{name}", summary="One channel; ETag is what a change of it needs", tags=["channels"])
    async def _channel(
        name: str, asked: Annotated[OfTenants, Query()], caller: _Reader, response: Response
    ) -> dict[str, Any]:
        found = await product.ask(answer_channel, product, caller, name, asked.tenant)
        response.headers["ETag"] = etag_of(definition(found))
        return found

    @app.get(_DELIVERIES, summary="What was sent to channels, and what became of it; latest first", tags=["channels"])
    async def _deliveries(asked: Annotated[DeliveryParameters, Query()], caller: _Reader) -> dict[str, Any]:
        return await paged(product, caller, _DELIVERIES, asked, partial(_page, product, caller, asked))

    @app.get(f"{_DELIVERIES}/{{delivery_id}}", summary="One delivery", tags=["channels"])
    async def _delivery(delivery_id: RowId, caller: _Reader) -> dict[str, Any]:
        return await product.ask(answer_delivery, product, caller, delivery_id)


def answer_channels(product: Product, caller: Caller, tenant: str | None) -> list[dict[str, Any]]:
    """What `/v1/channels` answers a caller: all channels, or those that get alerts of one tenant."""
    scope = caller.scope(Right.READ)
    product.scope(caller, Right.READ, tenant)  # a tenant that the caller may not see is not there
    return channels(product.engine(), scope, product.now(), tenant=tenant)


def answer_channel(
    product: Product, caller: Caller, name: str, tenants: list[str], right: Right = Right.READ
) -> dict[str, Any]:
    """What `/v1/channels/{name}` answers a caller. RiceError: as from `alerting.channels.named_channel`."""
    scope = caller.scope(right)
    wanted = None if name == KAFKA else named_channel(product.engine(), scope, name, tenants).id
    found = [row for row in channels(product.engine(), scope, product.now(), name=name) if row["id"] == wanted]
    if not found:
        raise not_found("the channel has been removed meanwhile")
    return found[0]


def answer_delivery(product: Product, caller: Caller, delivery_id: int) -> dict[str, Any]:
    """What `/v1/deliveries/{delivery_id}` answers a caller. ProblemError 404: the caller sees none of this id."""
    found = named_delivery(product.engine(), caller.scope(Right.READ), delivery_id)
    if found is None:
        raise not_found()
    return found


def definition(row: dict[str, Any]) -> dict[str, Any]:
    """What a channel is, and when it was set last, of what is answered for it: the state that its entity tag stands for."""
    return {name: row[name] for name in (*_DEFINING, "target", "updated_at")}


_DEFINING = ("name", "type", "tenants", "budgets", "min_severity", "quiet_hours", "remind_every_s", "statements")


def _page(product: Product, caller: Caller, asked: DeliveryParameters, after: bytes | None) -> dict[str, Any]:
    wanted = DeliveryFilter(asked.state, asked.channel, asked.alert, asked.tenant, asked.since)
    product.scope(caller, Right.READ, asked.tenant)
    return delivery_page(product.engine(), caller.scope(Right.READ), wanted, after=after, limit=asked.limit)
