"""GET /v1/coverage and /v1/quarantine: what the numbers rest on, and what was refused."""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.pages import paged
from rice_stream.api.parameters import Name, Page, Parameters, RowId
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.reports.coverage import coverage
from rice_stream.reports.quarantine import quarantine_page, show
from rice_stream.store.quarantine import Choice

_Reader = Annotated[Caller, Depends(needs(Right.READ))]


class CoverageParameters(Parameters):
    """Of how many days, and how many names."""

    tenant: Name | None = None
    days: int | None = Field(None, ge=1, le=36_500, description="The last days; all time otherwise")
    limit: int = Field(50, ge=1, le=1_000)
    bucket: Literal["day"] | None = Field(None, description="The tiers of each day as well; with `days`, 366 at most")
    time_zone: str | None = Field(None, max_length=100, description="IANA zone of the days")
    repeated: bool = Field(
        default=True, description="Compare the ids of all records, which takes long where they are many"
    )


class QuarantineParameters(Page):
    """Which refused items."""

    reason: str | None = Field(None, max_length=100)
    topic: str | None = Field(None, max_length=256)
    status: Literal["held", "replayed", "dropped", "all"] = "held"


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.get("/v1/coverage", summary="Names that no table knows, fallbacks, and what senders claim", tags=["quality"])
    async def _coverage(asked: Annotated[CoverageParameters, Query()], caller: _Reader) -> dict[str, Any]:
        return await product.ask(answer_coverage, product, caller, asked)

    @app.get("/v1/quarantine", summary="Refused items, latest first", tags=["quality"])
    async def _quarantine(asked: Annotated[QuarantineParameters, Query()], caller: _Reader) -> dict[str, Any]:
        return await paged(product, caller, "/v1/quarantine", asked, partial(_refused, product, caller, asked))

    @app.get("/v1/quarantine/{quarantine_id}", summary="One refused item, without text", tags=["quality"])
    async def _item(quarantine_id: RowId, caller: _Reader) -> dict[str, Any]:
        return await product.ask(lambda: show(product.engine(), caller.scope(Right.READ), quarantine_id))


def answer_coverage(
    product: Product, caller: Caller, asked: CoverageParameters, *, compared_max: int | None = None
) -> dict[str, Any]:
    """What `/v1/coverage` answers a caller; for a thread of its own; `compared_max` and RiceError: as of `coverage`."""
    scope = product.scope(caller, Right.READ, asked.tenant)
    return coverage(
        product.engine_for(scope),
        scope,
        now=product.now(),
        days=asked.days,
        limit=asked.limit,
        bucket=asked.bucket,
        time_zone=asked.time_zone,
        report_time_zone=product.settings.report_time_zone,
        repeated=asked.repeated,
        compared_max=compared_max,
    )


def _refused(product: Product, caller: Caller, asked: QuarantineParameters, after: bytes | None) -> dict[str, Any]:
    choice, status = Choice(reason=asked.reason, topic=asked.topic), None if asked.status == "all" else asked.status
    scope = caller.scope(Right.READ)
    return quarantine_page(product.engine(), scope, choice, status=status, after=after, limit=asked.limit)
