"""Orders to restate: begun, or left to a server, with their entries in the audit trail."""

from collections.abc import Sequence
from dataclasses import replace

from rice_stream.errors import UsageError
from rice_stream.instants import rfc3339
from rice_stream.ledger.voiding import checked_reason
from rice_stream.store.adjustments import posting
from rice_stream.store.archive.kept import first_gap_us
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.engine import Engine, reading
from rice_stream.store.horizon import records_from_us
from rice_stream.store.restatement_store import RestatementOrder, RestatementState, begin_or_resume, sums_of
from rice_stream.store.revisions import head_revision
from rice_stream.store.stored_records import tenant_keys


def order_restatement(
    engine: Engine, order: RestatementOrder, by: Actor, *, by_server: bool = False
) -> tuple[RestatementState, bool]:
    """The restatement of an order, begun or (`by_server`) left to a server, and whether it is new.

    UsageError: records of the stretch have been dropped, there is no such tenant, or no reason.
    """
    order = replace(order, reason=checked_reason(order.reason))
    tenants_of(engine, order)
    with posting(engine, revision=head_revision()) as connection:
        state, is_new = begin_or_resume(connection, order, by, by_server=by_server)
        if is_new:
            record(connection, by, [change_of(state, "restatement.begin")])
    return state, is_new


def tenants_of(engine: Engine, order: RestatementOrder) -> list[int]:
    """The keys of the tenants of an order. UsageError: their records have been dropped, or there is no such tenant."""
    with reading(engine) as connection:
        known = tenant_keys(connection)
        horizon_us = records_from_us(connection)
    if order.tenant_id is not None and order.tenant_id not in known:
        raise UsageError(f"--tenant {order.tenant_id}: there is no such tenant; see `rice-stream tenant list`")
    tenants = sorted(known.values() if order.tenant_id is None else [known[order.tenant_id]])
    if order.from_us < horizon_us:
        check_archived(engine, tenants, order.from_us, order.to_us)
    return tenants


def check_archived(engine: Engine, tenants: Sequence[int], from_us: int, to_us: int) -> None:
    """UsageError: records of the tenants that ended in [from_us, to_us) have been dropped and are not in the archive."""
    with reading(engine) as connection:
        horizon_us, gap_us = records_from_us(connection), first_gap_us(connection, tenants, from_us, to_us)
    if gap_us is not None:
        raise UsageError(
            f"--from: records from before {rfc3339(horizon_us)} are no longer kept, and not all from {rfc3339(gap_us)} on are"
            " in the archive: begin at the former or later, or restate the months of a tenant that are in it"
        )


def change_of(state: RestatementState, action: str) -> AuditedChange:
    """What the audit trail says of a restatement."""
    order = state.order
    told = {**order.told(), "reason": order.reason, **({"dry_run": True} if order.dry_run else {})}
    if action != "restatement.begin":
        told |= {"records": state.records, "entries": state.entries}
        # As text: they may be larger than JSON holds exactly.
        sums = {"by_cause": state.by_cause, "market_by_cause": state.market_by_cause, "sums": sums_of(state)}
        told |= {what: {name: str(sum_) for name, sum_ in named.items()} for what, named in sums.items()}
    if state.problem is not None:
        told["problem"] = state.problem
    return AuditedChange(action, "restatement", state.restatement_id, order.tenant_id, after=told)
