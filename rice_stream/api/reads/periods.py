"""GET /v1/periods and /v1/proofs/{event_id}: months of tenants, and proof that a prompt is in one that was closed."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.parameters import Moment, Name, Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.reports.moments import as_instant
from rice_stream.reports.periods import periods
from rice_stream.store.scope import Scope

_Reader = Annotated[Caller, Depends(needs(Right.READ))]


class PeriodParameters(Parameters):
    """Whose months."""

    tenant: Name | None = None


class PromptProofParameters(Parameters):
    """Which of the records of one event id."""

    tenant: Name | None = None
    ended_at: Moment | None = Field(None, description="Where a tenant has several of this id")


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.get("/v1/periods", summary="Months of tenants: open, or closed with what was asserted", tags=["periods"])
    async def _periods(asked: Annotated[PeriodParameters, Query()], caller: _Reader) -> dict[str, Any]:
        scope = product.scope(caller, Right.READ, asked.tenant)
        return {"rows": await product.ask(lambda: periods(product.engine_for(scope), scope, product.now()))}

    @app.get("/v1/proofs/{event_id:path}", summary="Proof that a prompt is in a closed month", tags=["periods"])
    async def _proof(
        event_id: str, asked: Annotated[PromptProofParameters, Query()], caller: _Reader
    ) -> dict[str, Any]:
        scope = product.scope(caller, Right.READ, asked.tenant)
        return await product.ask(_proven, product, scope, event_id, asked)


def _proven(product: Product, scope: Scope, event_id: str, asked: PromptProofParameters) -> dict[str, Any]:
    from rice_stream.reports.month_proofs import month_proof  # numpy takes a tenth of the server's start

    when = as_instant(asked.ended_at)
    return month_proof(product.engine(), scope, event_id, tenant=asked.tenant, ended_at=when)
