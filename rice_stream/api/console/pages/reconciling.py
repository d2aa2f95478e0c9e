"""The form of the page Periods that compares a month with what a provider or cloud states of it, and what was found."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.dashboard import Dashboard
from rice_stream.api.console.forms import Blank, PageForm
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.uploads import Uploads
from rice_stream.api.parameters import Name, Parameters
from rice_stream.api.problems import ProblemError
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.api.writes.reconciliations import (
    CarbonExportBody,
    Provider,
    ReconciliationBody,
    StatedCarbonBody,
    answer_reconciliation,
)
from rice_stream.reports.reconciliations import reconciliation_page_later
from rice_stream.store.scope import Scope

_PAGE = "/periods"
_SHOWN = 10
_GRAMS_PER_KILOGRAM = 1_000.0
_OF_CARBON = "service, market, embodied: these are of carbon; say that the file states carbon, or leave them out"


class ReconciliationForm(PageForm):
    """Whose month is compared; with the file, or with a figure."""

    tenant: Name
    month: Annotated[str, Field(max_length=20)]
    provider: Provider
    threshold: Annotated[float, Field(ge=0, le=100)] = 1.0
    states: Literal["tokens", "carbon"] = "tokens"
    service: Annotated[Name | None, Blank] = None
    carbon_kg: Annotated[Annotated[float, Field(ge=0, le=1e6)] | None, Blank] = None
    market: Literal["yes"] | None = None
    embodied: Literal["yes"] | None = None

    def order(self) -> ReconciliationBody:
        """As the API takes it, but for the file. ProblemError 400: something of carbon, beside tokens."""
        stated = export = None
        market, embodied = self.market is not None, self.embodied is not None
        if self.carbon_kg is None and self.states == "tokens" and (self.service or market or embodied):
            raise ProblemError(HTTPStatus.BAD_REQUEST, _OF_CARBON)
        if self.carbon_kg is not None:
            grams = self.carbon_kg * _GRAMS_PER_KILOGRAM
            stated = StatedCarbonBody(carbon_gco2e=grams, market=market, embodied=embodied)
        elif self.states == "carbon":
            services = [self.service] if self.service else []
            export = CarbonExportBody(text=None, services=services, market=market, embodied=embodied)
        whose = {"tenant_id": self.tenant, "month": self.month, "provider": self.provider}
        compared = {"threshold_percent": self.threshold, "carbon": stated, "carbon_export": export}
        return ReconciliationBody.model_validate({**whose, **compared})


def reconciled_later(product: Product, scope: Scope) -> Callable[[], Figures]:
    """The latest comparisons of the months that the scope sees; asked now, and waited for when it is called."""
    listed = reconciliation_page_later(product.engine_for(scope), scope, limit=_SHOWN)
    return lambda: {"reconciliations": listed()["rows"]}


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the route."""
    product = dashboard.product
    uploads = Uploads(product.settings.http_body_max_bytes)

    @app.post(f"{_PAGE}/reconciliations", include_in_schema=False)
    async def _reconcile(
        request: Request,
        _: Annotated[Parameters, Query()],
        caller: Annotated[Caller, Depends(needs(Right.WRITE))],
    ) -> Response:
        form, file = await uploads.read(request, caller, ReconciliationForm)
        by = actor_of(caller, request)
        found = await product.ask(answer_reconciliation, product, caller, form.order(), by, file)
        judged = "agrees with" if found["ok"] else "differs from"
        said = f"{form.month} of {form.tenant} {judged} what {form.provider} states; the causes are below."
        return dashboard.done(_PAGE, tenant=form.tenant, year=form.month[:4], said=said)
