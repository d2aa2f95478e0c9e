"""GET /v1/tenants and /v1/mappings: who is charged, and what names stand for."""

from typing import Annotated, Any
from urllib.parse import quote, unquote

from fastapi import Depends, FastAPI, Query

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.pages import paged
from rice_stream.api.parameters import Page, Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.events.mappings import WITHIN_TENANT, MappingKey
from rice_stream.reports.mappings import mappings
from rice_stream.reports.tenants import tenant_page

_Reader = Annotated[Caller, Depends(needs(Right.READ))]


def mapping_id(key: MappingKey) -> str:
    """What a mapping is known by in addresses: `kind:name`, or `kind:tenant:subject:name` within a tenant (its id in per cent).

    >>> mapping_id(MappingKey("team", "u-17", "a:b", "user"))
    'team:a%3Ab:user:u-17'
    """
    whose = [quote(key.tenant_id, safe=""), key.subject] if key.kind in WITHIN_TENANT else []
    return ":".join([key.kind, *whose, key.name])


def mapping_of(mapping: str) -> MappingKey:
    """What a mapping of this id is of.

    >>> mapping_of("team:a%3Ab:user:u-17") == MappingKey("team", "u-17", "a:b", "user")
    True
    """
    kind, _, rest = mapping.partition(":")
    if kind not in WITHIN_TENANT:
        return MappingKey(kind, rest)
    tenant, subject, name = [*rest.split(":", 2), "", ""][:3]
    return MappingKey(kind, name, unquote(tenant), subject)


def identified(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `reports.mappings` with its id."""
    key = MappingKey(row["kind"], row["name"], row["tenant_id"] or "", row["subject"] or "")
    return {"id": mapping_id(key), **row}


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.get("/v1/tenants", summary="Tenants and the time zones of their days", tags=["accounts"])
    async def _tenants(asked: Annotated[Page, Query()], caller: _Reader) -> dict[str, Any]:
        def report(after: bytes | None) -> dict[str, Any]:
            return tenant_page(product.engine(), caller.scope(Right.READ), after=after, limit=asked.limit)

        return await paged(product, caller, "/v1/tenants", asked, report)

    @app.get("/v1/mappings", summary="What names stand for, and who is charged", tags=["accounts"])
    async def _mappings(_: Annotated[Parameters, Query()], caller: _Reader) -> dict[str, Any]:
        rows = await product.ask(lambda: mappings(product.engine(), caller.scope(Right.READ)))
        return {"rows": [identified(row) for row in rows]}
