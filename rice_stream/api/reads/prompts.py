"""GET /v1/prompts/{event_id} and its explanation: one record, and how its amounts came about."""

from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.parameters import Moment, Name, Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.reports.explanation import explain
from rice_stream.reports.moments import as_instant
from rice_stream.runtime.opening_estimator import open_method, token_defaults

_Reader = Annotated[Caller, Depends(needs(Right.READ))]


class RecordParameters(Parameters):
    """Which of the records of one event id."""

    tenant: Name | None = None
    ended_at: Moment | None = None


def install(app: FastAPI, product: Product) -> None:
    """Add the routes. An event id may hold any signs, slashes among them: they are sent as %2F or as they are."""

    @app.get("/v1/prompts/{event_id:path}/explain", summary="How a record's amounts came about", tags=["prompts"])
    async def _explained(event_id: str, asked: Annotated[RecordParameters, Query()], caller: _Reader) -> dict[str, Any]:
        return await product.ask(_explain, product, caller, event_id, asked)

    @app.get("/v1/prompts/{event_id:path}", summary="One record", tags=["prompts"])
    async def _prompt(event_id: str, asked: Annotated[RecordParameters, Query()], caller: _Reader) -> dict[str, Any]:
        document = await product.ask(_explain, product, caller, event_id, asked)
        record: dict[str, Any] = document["record"]
        return record


def _explain(product: Product, caller: Caller, event_id: str, asked: RecordParameters) -> dict[str, Any]:
    settings = product.settings
    return explain(
        product.engine(),
        product.scope(caller, Right.READ, asked.tenant),
        event_id,
        asked.tenant,
        defaults=token_defaults(settings),
        ended_at=as_instant(asked.ended_at),
        open_method=partial(open_method, settings),
    )
