"""POST /v1/budgets, PUT and DELETE /v1/budgets/{name}."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from rice_stream.alerting.budgets import OldBudget, remove_budget, set_budgets
from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.etags import IF_MATCH, STATE_PROBLEMS, check_if_match, etag_of
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.problems import ProblemError, not_found
from rice_stream.api.product import Product
from rice_stream.api.reads.budgets import OfTenant, definition, named_status, owner_of
from rice_stream.api.routing import needs
from rice_stream.api.writes.idempotency import KEY_PROBLEMS, KEYED, once
from rice_stream.budgets.announcement import budget_definition
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.parsing import parse_budget
from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us
from rice_stream.store.audit import Actor
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import within

_Editor = Annotated[Caller, Depends(needs(Right.WRITE))]


class ChangedBudget(Body):
    """What a budget is, but for its name and tenant. One of the limits is needed, as a number or as its exact text."""

    team_id: str | None = None
    project_id: str | None = None
    user_id: str | None = None
    model: str | None = None
    limit_gco2e: float | str | None = None
    limit_kwh: float | str | None = None
    period: str
    time_zone: str | None = None
    thresholds: list[float] | None = None
    estimate: str | None = None
    hysteresis: float | None = None


class NewBudget(ChangedBudget):
    """A budget."""

    name: str
    tenant_id: str


_EXAMPLE = {"limit_gco2e": 50_000, "period": "month", "time_zone": "Europe/Berlin", "thresholds": [0.8, 1.0]}
_NEW_EXAMPLE = {"name": "acme-month", "tenant_id": "acme", **_EXAMPLE}


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.post(
        "/v1/budgets",
        status_code=HTTPStatus.CREATED,
        summary="Make a budget",
        tags=["budgets"],
        openapi_extra=body_of(NewBudget, _NEW_EXAMPLE) | KEYED,
        responses=KEY_PROBLEMS,
    )
    async def _make(request: Request, caller: _Editor) -> JSONResponse:
        body = await product.bodies.read(request, caller, NewBudget)
        made = partial(
            product.ask, _set, product, caller, _parsed(body.model_dump()), actor_of(caller, request), _is_new
        )
        return await once(product, request, caller, body, made)

    @app.put(
        "/v1/budgets/{name}",
        summary="Change a budget; If-Match has the ETag of what was seen",
        tags=["budgets"],
        openapi_extra=body_of(ChangedBudget, _EXAMPLE) | IF_MATCH,
        responses=STATE_PROBLEMS,
    )
    async def _change(
        name: str, asked: Annotated[OfTenant, Query()], request: Request, caller: _Editor, response: Response
    ) -> dict[str, Any]:
        body = await product.bodies.read(request, caller, ChangedBudget)
        owner = await product.ask(owner_of, product, caller, name, asked.tenant, Right.WRITE)
        wanted = _parsed({**body.model_dump(), "name": name, "tenant_id": owner})
        changed = await product.ask(
            _set, product, caller, wanted, actor_of(caller, request), partial(_matches, request)
        )
        response.headers["ETag"] = etag_of(definition(changed))
        return changed

    @app.delete(
        "/v1/budgets/{name}",
        status_code=HTTPStatus.NO_CONTENT,
        summary="Remove a budget; its alerts stay. If-Match has the ETag of what was seen",
        tags=["budgets"],
        openapi_extra=IF_MATCH,
        responses=STATE_PROBLEMS,
    )
    async def _remove(name: str, asked: Annotated[OfTenant, Query()], request: Request, caller: _Editor) -> Response:
        await product.ask(_removed, product, caller, name, asked.tenant, request)
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _parsed(values: dict[str, object]) -> Budget:
    try:
        return parse_budget(values)
    except UsageError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), slug="invalid-parameters") from error


def _set(product: Product, caller: Caller, wanted: Budget, by: Actor, check: Any) -> dict[str, Any]:
    scope = product.scope(caller, Right.WRITE, wanted.tenant_id)
    _check_team(scope, wanted)
    engine = within(product.engine(), scope)
    set_budgets(engine, [wanted], epoch_us(product.now()), by, check=check)
    return named_status(product, caller, wanted.name, wanted.tenant_id, Right.WRITE)


def _removed(product: Product, caller: Caller, name: str, tenant: str | None, request: Request) -> None:
    owner = owner_of(product, caller, name, tenant, Right.WRITE)
    scope = product.scope(caller, Right.WRITE, owner)
    by = actor_of(caller, request)
    remove_budget(within(product.engine(), scope), owner, name, by, check=partial(_matches, request))


def _check_team(scope: Scope, budget: Budget) -> None:
    """Whoever may write for some teams writes no budget of the tenant, nor of another team."""
    if not scope.has_team(budget.team_id):
        raise not_found(f"team_id: there is no {budget.team_id!r} that you may write")


def _is_new(before: OldBudget) -> None:
    if before is not None:
        raise ProblemError(HTTPStatus.CONFLICT, f"name: there is a budget {before.name!r} already; change it with PUT")


def _matches(request: Request, before: OldBudget) -> None:
    if before is None:
        raise not_found("the budget has been removed meanwhile")
    # What cannot be read any more has no state that anybody could have seen.
    state = (
        budget_definition(before) if isinstance(before, Budget) else {"name": before.name, "unreadable": before.problem}
    )
    check_if_match(request, state)
