"""GET /v1/contracts: contracts for electricity that are in force, and what of each covers which months."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.parameters import Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.instants import epoch_us
from rice_stream.reports.contracts import contracts


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.get(
        "/v1/contracts",
        summary="Contracts for electricity in force and what they cover; for who sees every tenant",
        tags=["ledger"],
    )
    async def _contracts(
        _: Annotated[Parameters, Query()], caller: Annotated[Caller, Depends(needs(Right.READ))]
    ) -> dict[str, Any]:
        return {"rows": await product.ask(answer_contracts, product, caller)}


def answer_contracts(product: Product, caller: Caller) -> list[dict[str, Any]]:
    """As the report has them; for a thread of its own."""
    return contracts(product.engine(), caller.scope(Right.READ), now_us=epoch_us(product.now()))
