"""POST /v1/budgets, PUT and DELETE /v1/budgets/{name}."""

from collections.abc import Callable, Mapping
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

SeenCheck = Callable[[Mapping[str, Any]], None]
"""Raises where a state is not the one that somebody has seen."""
_Editor = Annotated[Caller, Depends(needs(Right.WRITE))]


class ChangedBudget(Body):
    """What a budget is, but for its name and tenant. One of the limits is needed, as a number or as its exact text."""

    team_id: str | None = None
    project_id: str | None = None
    cost_centre: str | None = None
    user_id: str | None = None
    model: str | None = None
    limit_gco2e: float | str | None = None
    limit_kwh: float | str | None = None
    period: str
    time_zone: str | None = None
    thresholds: list[float] | None = None
    estimate: str | None = None
    hysteresis: float | None = None
    early_warning: bool | None = None


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
            product.ask, make_budget, product, caller, parsed_budget(body.model_dump()), actor_of(caller, request)
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
        check, by = partial(check_if_match, request), actor_of(caller, request)
        changed = await product.ask(change_budget, product, caller, name, asked.tenant, body.model_dump(), by, check)
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
        check, by = partial(check_if_match, request), actor_of(caller, request)
        await product.ask(drop_budget, product, caller, name, asked.tenant, by, check)
        return Response(status_code=HTTPStatus.NO_CONTENT)


def parsed_budget(values: dict[str, object]) -> Budget:
    """The budget that these fields describe. ProblemError 422: a field is not right."""
    try:
        return parse_budget(values)
    except UsageError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), slug="invalid-parameters") from error


def make_budget(product: Product, caller: Caller, wanted: Budget, by: Actor) -> dict[str, Any]:
    """Make it, and answer with where it stands. ProblemError: 404 beyond the caller's scope, 409 for a name that is taken."""
    return _set(product, caller, wanted, by, _is_new)


def change_budget(
    product: Product,
    caller: Caller,
    name: str,
    tenant: str | None,
    values: dict[str, object],
    by: Actor,
    check: SeenCheck,
) -> dict[str, Any]:
    """Make what `values` say of the budget of this name; `check` is shown its state of before, and raises where it was another one
    that the caller had seen. RiceError, ProblemError: as from `named_status`, `parsed_budget` and `check`."""
    owner = owner_of(product, caller, name, tenant, Right.WRITE)
    wanted = parsed_budget({**values, "name": name, "tenant_id": owner})
    return _set(product, caller, wanted, by, partial(_matches, check))


def drop_budget(product: Product, caller: Caller, name: str, tenant: str | None, by: Actor, check: SeenCheck) -> None:
    """Remove the budget of this name; errors as from `change_budget`."""
    owner = owner_of(product, caller, name, tenant, Right.WRITE)
    scope = product.scope(caller, Right.WRITE, owner)
    remove_budget(within(product.engine(), scope), owner, name, by, check=partial(_matches, check))


def _set(product: Product, caller: Caller, wanted: Budget, by: Actor, check: Any) -> dict[str, Any]:
    scope = product.scope(caller, Right.WRITE, wanted.tenant_id)
    _check_team(scope, wanted)
    engine = within(product.engine(), scope)
    set_budgets(engine, [wanted], epoch_us(product.now()), by, check=check)
    return named_status(product, caller, wanted.name, wanted.tenant_id, Right.WRITE)


def _check_team(scope: Scope, budget: Budget) -> None:
    """Whoever may write for some teams writes no budget of the tenant, nor of another team."""
    if not scope.has_team(budget.team_id):
        raise not_found(f"team_id: there is no {budget.team_id!r} that you may write")


def _is_new(before: OldBudget) -> None:
    if before is not None:
        raise ProblemError(HTTPStatus.CONFLICT, f"name: there is a budget {before.name!r} already; change it with PUT")


def _matches(check: SeenCheck, before: OldBudget) -> None:
    if before is None:
        raise not_found("the budget has been removed meanwhile")
    # What cannot be read any more has no state that anybody could have seen.
    check(
        budget_definition(before) if isinstance(before, Budget) else {"name": before.name, "unreadable": before.problem}
    )
