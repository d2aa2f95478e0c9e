"""POST /v1/contracts/apply: applying the contracts for electricity that are in force to a month of a tenant."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.parameters import Name
from rice_stream.api.product import Product
from rice_stream.api.record_writing import MAY_NOT, ledger_of
from rice_stream.api.routing import check_every_tenant, needs
from rice_stream.store.audit import Actor

_NOT_FOR_OTHERS = "what a contract covers of one tenant is not there for another"


class ContractsBody(Body):
    """Which month is covered, and why."""

    tenant_id: Name
    month: str = Field(max_length=20, description="YYYY-MM, in the tenant's time zone; it must be over")
    reason: Annotated[str, Field(min_length=1, max_length=1_000)] | None = Field(
        None, description="Kept with the entries for good; `contracts of the month` where there is none"
    )
    dry_run: bool = Field(default=False, description="Only say what would be covered")


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.post(
        "/v1/contracts/apply",
        status_code=HTTPStatus.ACCEPTED,
        summary="Order that contracts are applied to a month; carbon by the market changes, by entries",
        tags=["ledger"],
        openapi_extra=body_of(ContractsBody, {"tenant_id": "acme", "month": "2026-10", "dry_run": True}),
        responses=MAY_NOT,
    )
    async def _apply(request: Request, caller: Annotated[Caller, Depends(needs(Right.WRITE))]) -> dict[str, Any]:
        body = await product.bodies.read(request, caller, ContractsBody)
        check_may_apply(product, caller, body.tenant_id)
        return await product.ask(answer_apply, product, body, actor_of(caller, request))


def check_may_apply(product: Product, caller: Caller, tenant_id: str) -> None:
    """NotFoundError: nothing of that tenant; ProblemError 403: the caller's right is not for every tenant."""
    product.scope(caller, Right.WRITE, tenant_id)
    check_every_tenant(caller, Right.WRITE, _NOT_FOR_OTHERS)


def answer_apply(product: Product, body: ContractsBody, by: Actor) -> dict[str, Any]:
    """What is covered by now, once the caller is known to have the right; a server posts it. For a thread of its own.

    UsageError: the month is not over; ProblemError 409: as from `ledger_of`.
    """
    # What it takes is loaded where somebody asks for it.
    from rice_stream.ledger.contracts import told_of
    from rice_stream.runtime.contract_orders import order_contracts, plan_of

    with ledger_of(product.settings, "rice-stream market apply") as engine:
        plan = plan_of(product.settings, engine, body.tenant_id, body.month, None if body.dry_run else by)
        restatement_id = None
        if not body.dry_run:
            reason = body.reason or f"contracts of {plan.month.month}"
            restatement_id = order_contracts(engine, plan, reason, by).restatement_id
    return {**told_of(plan), "dry_run": body.dry_run, "restatement_id": restatement_id}
