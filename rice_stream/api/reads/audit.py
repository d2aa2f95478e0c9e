"""GET /v1/audit: who changed what, latest first."""

from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.pages import paged
from rice_stream.api.parameters import Moment, Name, Page
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.reports.audit import audit_page

_PATH = "/v1/audit"


class AuditParameters(Page):
    """Which changes."""

    tenant: Name | None = Field(None, description="Changes of what is this tenant's alone")
    action: str | None = Field(None, max_length=100, description="Such as `budget.set`")
    actor: Name | None = Field(None, description="A part of the name of who made them")
    from_: Moment | None = Field(None, alias="from", description="First instant, or day of UTC")
    to: Moment | None = Field(None, description="First instant, or day of UTC, that is not included")


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.get(_PATH, summary="Who changed what, from what to what, and when; latest first", tags=["access"])
    async def _audit(
        asked: Annotated[AuditParameters, Query()], caller: Annotated[Caller, Depends(needs(Right.READ_AUDIT))]
    ) -> dict[str, Any]:
        return await paged(product, caller, _PATH, asked, partial(_page, product, caller, asked))


def _page(product: Product, caller: Caller, asked: AuditParameters, after: bytes | None) -> dict[str, Any]:
    scope = product.scope(caller, Right.READ_AUDIT, asked.tenant)
    narrowed = {"action": asked.action, "actor": asked.actor, "start": asked.from_, "end": asked.to}
    return audit_page(product.engine(), scope, after=after, limit=asked.limit, **narrowed)
