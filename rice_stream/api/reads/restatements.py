"""GET /v1/restatements and /v1/restatements/{restatement_id}: what was restated, how far it has come, and what it changes."""

from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.pages import paged
from rice_stream.api.parameters import Name, Page, Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.reports.restatements import named_restatement, restatement_page

_PATH = "/v1/restatements"
_Reader = Annotated[Caller, Depends(needs(Right.READ))]


class RestatementParameters(Page):
    """Whose."""

    tenant: Name | None = None


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""
    threshold_percent = product.settings.restatement_threshold_percent

    @app.get(
        _PATH, summary="Restatements, latest first; those over all tenants for who sees all of them", tags=["ledger"]
    )
    async def _restatements(asked: Annotated[RestatementParameters, Query()], caller: _Reader) -> dict[str, Any]:
        return await paged(product, caller, _PATH, asked, partial(answer_restatements, product, caller, asked))

    @app.get(
        f"{_PATH}/{{restatement_id}}", summary="How far a restatement has come, and what it changes", tags=["ledger"]
    )
    async def _restatement(restatement_id: Name, _: Annotated[Parameters, Query()], caller: _Reader) -> dict[str, Any]:
        scope = caller.scope(Right.READ)
        of_id = partial(named_restatement, threshold_percent=threshold_percent)
        return await product.ask(lambda: of_id(product.engine(), scope, restatement_id))


def answer_restatements(
    product: Product, caller: Caller, asked: RestatementParameters, after: bytes | None = None
) -> dict[str, Any]:
    """A page of them with its position; for a thread of its own. NotFoundError: nothing of that tenant is seen."""
    scope = product.scope(caller, Right.READ, asked.tenant)
    threshold_percent = product.settings.restatement_threshold_percent
    return restatement_page(
        product.engine(), scope, after=after, limit=asked.limit, threshold_percent=threshold_percent
    )
