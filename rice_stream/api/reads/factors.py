"""GET /v1/factors, /v1/factors/{digest} and /v1/factors/diff: factor sets, their rows, and how two differ."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.parameters import Name, Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.instants import epoch_us
from rice_stream.reports.factor_sets import factor_set, factor_set_differences, factor_sets, tables_kept

_Reader = Annotated[Caller, Depends(needs(Right.READ))]


class DiffParameters(Parameters):
    """Two sets, each by its digest, the first digits of it, or its name."""

    a: Name = Field(description="Digest, its first digits (6 or more), or name: the set before")
    b: Name = Field(description="The same of the set after")


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.get(
        "/v1/factors", summary="Factor sets, in the order in which they are laid over the tables", tags=["reference"]
    )
    async def _sets(_: Annotated[Parameters, Query()], caller: _Reader) -> dict[str, Any]:
        scope, now_us = caller.scope(Right.READ), epoch_us(product.now())
        rows = await product.ask(lambda: factor_sets(product.engine(), scope, now_us=now_us))
        return {"rows": rows, "tables": await product.ask(lambda: tables_kept(product.engine(), scope))}

    @app.get("/v1/factors/diff", summary="Rows in which two factor sets differ", tags=["reference"])
    async def _diff(asked: Annotated[DiffParameters, Query()], caller: _Reader) -> dict[str, Any]:
        scope = caller.scope(Right.READ)
        return await product.ask(lambda: factor_set_differences(product.engine(), scope, asked.a, asked.b))

    @app.get("/v1/factors/{digest}", summary="One factor set with its rows", tags=["reference"])
    async def _set(digest: Name, _: Annotated[Parameters, Query()], caller: _Reader) -> dict[str, Any]:
        scope, now_us = caller.scope(Right.READ), epoch_us(product.now())
        return await product.ask(lambda: factor_set(product.engine(), scope, digest, now_us=now_us))
