"""GET /v1/tenants and /v1/mappings: who is charged, and what names stand for."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.pages import paged
from rice_stream.api.parameters import Page, Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.reports.mappings import mappings
from rice_stream.reports.tenants import tenant_page

_Reader = Annotated[Caller, Depends(needs(Right.READ))]


def mapping_id(kind: str, name: str) -> str:
    """What a mapping is known by in addresses."""
    return f"{kind}:{name}"


def mapping_of(mapping: str) -> tuple[str, str]:
    """Kind and name of a mapping's id."""
    kind, _, name = mapping.partition(":")
    return kind, name


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.get("/v1/tenants", summary="Tenants and the time zones of their days", tags=["accounts"])
    async def _tenants(asked: Annotated[Page, Query()], caller: _Reader) -> dict[str, Any]:
        def report(after: bytes | None) -> dict[str, Any]:
            return tenant_page(product.engine(), caller.scope(Right.READ), after=after, limit=asked.limit)

        return await paged(product, caller, "/v1/tenants", asked, report)

    @app.get("/v1/mappings", summary="What names of tenants, models and regions stand for", tags=["accounts"])
    async def _mappings(_: Annotated[Parameters, Query()], caller: _Reader) -> dict[str, Any]:
        rows = await product.ask(lambda: mappings(product.engine(), caller.scope(Right.READ)))
        return {"rows": [{"id": mapping_id(row["kind"], row["name"]), **row} for row in rows]}
