"""GET /v1/bridge: from what was reported of a stretch of time to what is known of it by now."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.parameters import Moment, Name, NameParameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.reports.bridge import bridge
from rice_stream.reports.moments import as_of_instant
from rice_stream.reports.one_moment import one_moment
from rice_stream.reports.totals_query import TotalsQuery


class KnownParameters(NameParameters):
    """Whose use, and as of when."""

    tenant: Name | None = Field(None, description="One tenant; all that the caller may see otherwise")
    window: Literal["1h", "24h", "7d", "30d", "mtd"] | None = Field(None, description="Instead of `from` and `to`")
    from_: Moment | None = Field(None, alias="from", description="First instant, or local day")
    to: Moment | None = Field(None, description="First instant, or local day, that is not included")
    time_zone: str | None = Field(None, max_length=100, description="IANA zone of all days; else each tenant's own")
    as_of: Moment | None = Field(None, description="With what was recorded and corrected until then")


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.get("/v1/bridge", summary="From what was reported to what is known by now, by cause", tags=["ledger"])
    async def _bridge(
        asked: Annotated[KnownParameters, Query()], caller: Annotated[Caller, Depends(needs(Right.READ))]
    ) -> dict[str, Any]:
        return await product.ask(answer_bridge, product, caller, query_of(asked, product.now()))


def query_of(asked: KnownParameters, now: datetime) -> TotalsQuery:
    """What the report is asked. UsageError: as of an instant that lies ahead."""
    return TotalsQuery(
        tenant=asked.tenant,
        window=asked.window,
        start=asked.from_,
        end=asked.to,
        time_zone=asked.time_zone,
        where=asked.where,
        as_of=as_of_instant("as_of", asked.as_of, now),
    )


def answer_bridge(product: Product, caller: Caller, query: TotalsQuery) -> dict[str, Any]:
    """What `/v1/bridge` answers a caller, with `meta`; for a thread of its own. RiceError: as from `bridge`."""
    scope = product.scope(caller, Right.READ, query.tenant)
    engine = product.engine_for(scope)
    threshold_percent = product.settings.restatement_threshold_percent
    with one_moment(engine, scope):
        document = bridge(engine, scope, query, product.now(), threshold_percent=threshold_percent)
        return {**document, "meta": product.meta(scope, document["window"]["time_zone"])}
