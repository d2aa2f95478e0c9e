"""Orders to apply contracts for electricity to a month: made over HTTP, and done by a server as restatements are."""

from rice_stream.errors import UsageError
from rice_stream.ledger.contracts import ApplyingContracts, ContractPlan, planned
from rice_stream.ledger.restatement_orders import order_restatement
from rice_stream.runtime.month_contracts import month_to_cover
from rice_stream.runtime.opening_reference import open_reference
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.audit import Actor
from rice_stream.store.engine import Engine
from rice_stream.store.restatement_store import RestatementState


def plan_of(settings: Settings, engine: Engine, tenant_id: str, month: str, *, dry_run: bool) -> ContractPlan:
    """What contracts cover of a month by now; set aside for it, unless for a dry run. Errors as from `planned`."""
    which = month_to_cover(engine, tenant_id, month)
    return planned(engine, open_reference(settings), which, tenant_id, dry_run=dry_run)


def order_contracts(engine: Engine, plan: ContractPlan, reason: str, by: Actor) -> RestatementState:
    """The run of a plan, left to a server; the same plan again is the same run. Errors as from `order_restatement`."""
    state, _ = order_restatement(engine, ApplyingContracts(engine, plan, reason, by).order, by, by_server=True)
    return state


def contracts_again(settings: Settings, engine: Engine, waiting: RestatementState, by: Actor) -> ApplyingContracts:
    """The run of an order, to begin or to go on with.

    UsageError: contracts or use have changed since it was ordered. What it has posted stays, and the next order posts the rest.
    """
    order = waiting.order
    plan = plan_of(settings, engine, order.tenant_id or "", order.factor_version, dry_run=True)
    if plan.basis != order.basis:
        raise UsageError("contracts, or what was used in the month, have changed since it was ordered: order it again")
    run = ApplyingContracts(engine, plan, order.reason, by)
    run.state = waiting
    return run
