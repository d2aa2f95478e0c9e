"""Orders to apply contracts for electricity to a month: made over HTTP, and done by a server as restatements are."""

from rice_stream.ledger.contracts import ApplyingContracts, ContractPlan, planned
from rice_stream.ledger.restatement_orders import order_restatement
from rice_stream.runtime.month_contracts import month_to_cover
from rice_stream.runtime.opening_reference import open_reference
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.adjustments import posting
from rice_stream.store.audit import Actor
from rice_stream.store.engine import Engine
from rice_stream.store.restatement_store import RestatementState, begin_again
from rice_stream.store.revisions import head_revision


def plan_of(settings: Settings, engine: Engine, tenant_id: str, month: str, by: Actor | None = None) -> ContractPlan:
    """What contracts cover of a month by now; set aside for it by somebody, or (None) by nobody. Errors as from `planned`."""
    which = month_to_cover(engine, tenant_id, month)
    return planned(engine, open_reference(settings), which, tenant_id, by)


def order_contracts(engine: Engine, plan: ContractPlan, reason: str, by: Actor) -> RestatementState:
    """The run of a plan, left to a server; the same plan again is the same run. Errors as from `order_restatement`."""
    state, _ = order_restatement(engine, ApplyingContracts(engine, plan, reason, by).order, by, by_server=True)
    return state


def contracts_again(settings: Settings, engine: Engine, waiting: RestatementState, by: Actor) -> ApplyingContracts:
    """The run of an order, to begin or to go on with.

    Where contracts, or what was used in the month, have changed since, what they cover by now is set aside, and the run goes
    through the month from its beginning: what it has posted is corrected by what it posts then. Errors as from `planned`.
    """
    order = waiting.order
    whose = settings, engine, order.tenant_id or "", order.factor_version
    plan = plan_of(*whose)
    if plan.basis != order.basis:
        plan = plan_of(*whose, by)
        with posting(engine, revision=head_revision()) as connection:
            waiting = begin_again(connection, waiting, plan.basis)
    run = ApplyingContracts(engine, plan, order.reason, by)
    run.state = waiting
    return run
