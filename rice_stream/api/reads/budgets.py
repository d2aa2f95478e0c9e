"""GET /v1/budgets and /v1/alerts: what budgets have consumed, and the changes of their states."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Response
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.etags import etag_of
from rice_stream.api.pages import paged
from rice_stream.api.parameters import ROWS_MAX, Name, Page, Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.budgets.definition import PeriodName
from rice_stream.reports.alerts import alert_page
from rice_stream.reports.budget_history import budget_burn_down, budget_history
from rice_stream.reports.budget_suggestion import budget_suggestion
from rice_stream.reports.budgets import budget_owner, budget_page, budget_statuses, named_budget_status
from rice_stream.reports.deliveries import with_deliveries

DEFINING = (
    *(
        "name",
        "tenant_id",
        "team_id",
        "project_id",
        "cost_centre",
        "user_id",
        "model",
        "limit",
        "unit",
        "period",
        "time_zone",
    ),
    *("thresholds", "estimate", "hysteresis", "early_warning"),
)
"""Fields that say what a budget is; the others say what has become of it."""
_Reader = Annotated[Caller, Depends(needs(Right.READ))]


class OfTenant(Parameters):
    """One tenant's, or all that the caller may see."""

    tenant: Name | None = None


class BudgetsParameters(Page):
    """Which budgets, and how much of each."""

    tenant: Name | None = None
    limit: int = Field(ROWS_MAX, ge=1, le=ROWS_MAX, description="How many rows at most")
    forecast: bool = Field(
        default=False, description="With what is to come of each: `forecast`, `burn_rates` and `open_alerts`"
    )


class SuggestionParameters(Parameters):
    """What a budget would be for."""

    tenant: Name
    team: Name | None = None
    project: Name | None = None
    cost_centre: Name | None = None
    user: Name | None = None
    model: Name | None = None
    period: PeriodName = Field("month", description="Of usual length: a month has 30 days")


class AlertParameters(Page):
    """Which alerts."""

    tenant: Name | None = None


def definition(budget: dict[str, Any]) -> dict[str, Any]:
    """What a budget is, of what is answered for it: the state that its entity tag stands for."""
    return {name: budget.get(name) for name in DEFINING}


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.get("/v1/budgets", summary="Budgets with what they have consumed", tags=["budgets"])
    async def _budgets(asked: Annotated[BudgetsParameters, Query()], caller: _Reader) -> dict[str, Any]:
        scope = product.scope(caller, Right.READ, asked.tenant)

        def report(after: bytes | None) -> dict[str, Any]:
            return budget_page(
                product.engine(),
                scope,
                product.now(),
                tenant=asked.tenant,
                outlook=asked.forecast,
                after=after,
                limit=asked.limit,
            )

        return await paged(product, caller, "/v1/budgets", asked, report)

    @app.get("/v1/suggested-budget", summary="What a period would hold at the pace of the last days", tags=["budgets"])
    async def _suggested(asked: Annotated[SuggestionParameters, Query()], caller: _Reader) -> dict[str, Any]:
        return await product.ask(answer_suggestion, product, caller, asked)

    @app.get("/v1/budgets/{name}", summary="One budget; ETag is what a change of it needs", tags=["budgets"])
    async def _budget(
        name: str, asked: Annotated[OfTenant, Query()], caller: _Reader, response: Response
    ) -> dict[str, Any]:
        found = await product.ask(named_status, product, caller, name, asked.tenant)
        response.headers["ETag"] = etag_of(definition(found))
        return found

    @app.get("/v1/alerts", summary="Changes of budgets' states, latest first", tags=["budgets"])
    async def _alerts(asked: Annotated[AlertParameters, Query()], caller: _Reader) -> dict[str, Any]:
        scope = product.scope(caller, Right.READ, asked.tenant)

        def report(after: bytes | None) -> dict[str, Any]:
            engine = product.engine()
            found = alert_page(engine, scope, tenant=asked.tenant, after=after, limit=asked.limit)
            return {**found, "rows": with_deliveries(engine, scope, found["rows"])}

        return await paged(product, caller, "/v1/alerts", asked, report)

    @app.get("/v1/budgets/{name}/history", summary="Changes of one budget's state, latest first", tags=["budgets"])
    async def _history(name: str, asked: Annotated[AlertParameters, Query()], caller: _Reader) -> dict[str, Any]:
        def report(after: bytes | None) -> dict[str, Any]:
            return answer_history(product, caller, name, asked.tenant, after=after, limit=asked.limit)

        return await paged(product, caller, f"/v1/budgets/{name}/history", asked, report)

    @app.get("/v1/budgets/{name}/burn-down", summary="How its present period has been used up", tags=["budgets"])
    async def _burn_down(name: str, asked: Annotated[OfTenant, Query()], caller: _Reader) -> dict[str, Any]:
        return await product.ask(answer_burn_down, product, caller, name, asked.tenant)


def named_status(
    product: Product, caller: Caller, name: str, tenant: str | None, right: Right = Right.READ
) -> dict[str, Any]:
    """The one budget of a name that the caller has the right to. NotFoundError: none; UsageError: several tenants' have it."""
    return named_budget_status(product.engine(), product.scope(caller, right, tenant), name, tenant, product.now())


def owner_of(product: Product, caller: Caller, name: str, tenant: str | None, right: Right = Right.READ) -> str:
    """The tenant whose that budget is. The same errors."""
    return budget_owner(product.engine(), product.scope(caller, right, tenant), name, tenant)


def answer_budgets(product: Product, caller: Caller, tenant: str | None, *, outlook: bool) -> list[dict[str, Any]]:
    """The rows of all pages that `/v1/budgets` answers a caller, those of one tenant where it is given."""
    scope = product.scope(caller, Right.READ, tenant)
    return budget_statuses(product.engine(), scope, product.now(), tenant=tenant, outlook=outlook)


def answer_suggestion(product: Product, caller: Caller, asked: SuggestionParameters) -> dict[str, Any]:
    """What `/v1/suggested-budget` answers a caller. RiceError: as from `budget_suggestion`."""
    return budget_suggestion(
        product.engine(),
        product.scope(caller, Right.READ, asked.tenant),
        product.now(),
        tenant=asked.tenant,
        period=asked.period,
        team=asked.team,
        project=asked.project,
        cost_centre=asked.cost_centre,
        user=asked.user,
        model=asked.model,
    )


def answer_history(
    product: Product, caller: Caller, name: str, tenant: str | None, *, after: bytes | None, limit: int
) -> dict[str, Any]:
    """A page of what `/v1/budgets/{name}/history` answers a caller, from a position on. RiceError: as from `named_status`."""
    owner = owner_of(product, caller, name, tenant)
    scope = product.scope(caller, Right.READ, owner)
    return budget_history(product.engine(), scope, owner, name, after=after, limit=limit)


def answer_burn_down(product: Product, caller: Caller, name: str, tenant: str | None) -> dict[str, Any]:
    """What `/v1/budgets/{name}/burn-down` answers a caller. RiceError: as from `named_status` and `budget_burn_down`."""
    owner = owner_of(product, caller, name, tenant)
    scope = product.scope(caller, Right.READ, owner)
    return budget_burn_down(product.engine(), scope, owner, name, product.now())
