"""Contracts for electricity on the page Periods: what they cover, and the form that applies them to a month."""

from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.around import Around
from rice_stream.api.console.dashboard import Dashboard
from rice_stream.api.console.forms import Blank, PageForm
from rice_stream.api.console.kept import Figures
from rice_stream.api.parameters import Name, Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.api.writes.contracts import ContractsBody, answer_apply, check_may_apply
from rice_stream.instants import epoch_us
from rice_stream.reports.contracts import contracts
from rice_stream.wording.amounts import amount

_PAGE = "/periods"
_WH_PER_KWH = 1_000.0


class ContractsForm(PageForm):
    """Which month is covered; without `post` it is only worked out what would be."""

    tenant: Name
    month: Annotated[str, Field(max_length=20)]
    reason: Annotated[Annotated[str, Field(max_length=1_000)] | None, Blank] = None
    post: Literal["yes"] | None = None

    def order(self) -> ContractsBody:
        """As the API takes it."""
        asked = {"tenant_id": self.tenant, "month": self.month, "reason": self.reason}
        return ContractsBody.model_validate({**asked, "dry_run": self.post is None})


def in_force(product: Product, around: Around) -> list[dict[str, Any]]:
    """The contracts that are in force, for who sees every tenant; to be asked around the page first."""
    now_us = epoch_us(product.now())
    return around.this_minute("contracts", lambda: contracts(product.engine(), around.scope, now_us=now_us))


def prepared(product: Product, around: Around) -> None:
    """Ask around the page what it needs of all that the caller sees."""
    around.tenants()
    in_force(product, around)


def covering(product: Product, caller: Caller, around: Around) -> Figures:
    """The contracts, and whether the caller may apply them."""
    return {"contracts": in_force(product, around), "may_apply": caller.scope(Right.WRITE).is_everything}


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the route."""
    product = dashboard.product

    @app.post(f"{_PAGE}/contracts", include_in_schema=False)
    async def _apply(
        request: Request,
        _: Annotated[Parameters, Query()],
        caller: Annotated[Caller, Depends(needs(Right.WRITE))],
    ) -> Response:
        form = await dashboard.forms.read(request, caller, ContractsForm)
        check_may_apply(product, caller, form.tenant)
        found = await product.ask(answer_apply, product, form.order(), actor_of(caller, request))
        covered = amount(sum(each["covered_kwh"] for each in found["contracts"]) * _WH_PER_KWH, "energy")
        said = f"Contracts would cover {covered} of {form.month} of {form.tenant}."
        if form.post is not None:
            said = f"Contracts cover {covered} of {form.month} of {form.tenant}; how far it is posted is below, under Restatements."
        return dashboard.done(_PAGE, tenant=form.tenant, year=form.month[:4], said=said[:200])
