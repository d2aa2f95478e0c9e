"""Restatements as they are answered: what was ordered, how far it has come, and what it changes."""

from collections.abc import Callable
from typing import Any

from rice_stream.errors import NotFoundError
from rice_stream.instants import rfc3339
from rice_stream.quantities import MICRO
from rice_stream.reports.materiality import THRESHOLD_PERCENT, RestatedCarbon, materiality
from rice_stream.reports.pages import packed, page, unpacked
from rice_stream.reports.whole_tenants import rows_of_whole_tenants_later
from rice_stream.store import schema
from rice_stream.store.engine import Engine
from rice_stream.store.restatement_store import RestatementState, state_of
from rice_stream.store.scope import Scope

_MID = "carbon_mid_ugco2e"


def restatement_page(
    engine: Engine,
    scope: Scope,
    *,
    tenant: str | None = None,
    after: bytes | None = None,
    limit: int = 100,
    threshold_percent: float = THRESHOLD_PERCENT,
) -> dict[str, Any]:
    """Latest first: `{"rows": as of `described`, "next"}`, of a tenant of the scope, or of all of them.

    Runs over all tenants are seen, also among those of one, by who sees everything; and none by who sees some teams only.
    """
    return restatement_page_later(
        engine, scope, tenant=tenant, after=after, limit=limit, threshold_percent=threshold_percent
    )()


def restatement_page_later(
    engine: Engine,
    scope: Scope,
    *,
    tenant: str | None = None,
    after: bytes | None = None,
    limit: int = 100,
    threshold_percent: float = THRESHOLD_PERCENT,
) -> Callable[[], dict[str, Any]]:
    """The same, once: asked now, and waited for when it is called (`asked_ahead`)."""
    wanted: dict[str, Any] = {}
    if after is not None:
        wanted["number < :before"] = {"before": unpacked(after, 1)[0]}
    if tenant is not None:
        wanted["(tenant_id = :tenant OR tenant_id IS NULL)"] = {"tenant": tenant}
    given = {name: value for parameters in wanted.values() for name, value in parameters.items()}
    rows = rows_of_whole_tenants_later(engine, scope, schema.restatement, *wanted, limit=limit + 1, **given)
    return lambda: page(
        [state_of(row) for row in rows()],
        limit,
        lambda state: packed(state.number),
        lambda state: described(state, threshold_percent),
    )


def named_restatement(
    engine: Engine, scope: Scope, restatement_id: str, *, threshold_percent: float = THRESHOLD_PERCENT
) -> dict[str, Any]:
    """One restatement. NotFoundError: there is none of this id in the scope."""
    wanted = "restatement_id = :restatement_id"
    found = rows_of_whole_tenants_later(engine, scope, schema.restatement, wanted, restatement_id=restatement_id)
    for row in found():
        return described(state_of(row), threshold_percent)
    raise NotFoundError(f"there is no restatement {restatement_id!r}")


def described(state: RestatementState, threshold_percent: float) -> dict[str, Any]:
    """A restatement as JSON; grams are middle values.

    `materiality_percent` is the change since the records were recorded, with everything that has corrected them before, as a
    share of what was reported of them, and `materiality_market_percent` that of carbon by the market (None of runs of versions
    that did not keep it); `difference_gco2e` is what this run changes.
    """
    order = state.order
    before, after = state.before[_MID], state.after[_MID]
    market = state.market
    return {
        "restatement_id": state.restatement_id or None,
        "state": state.state,
        "dry_run": order.dry_run,
        "from": rfc3339(order.from_us),
        "to": rfc3339(order.to_us),
        "tenant": order.tenant_id,
        "versions": {"method": order.method_version, "factors": order.factor_version},
        "basis": order.basis or None,
        "reason": order.reason,
        "author_kind": state.author_kind or None,
        "author": state.author_name or None,
        "started_at": None if state.started_us is None else rfc3339(state.started_us),
        "finished_at": None if state.finished_us is None else rfc3339(state.finished_us),
        "records": state.records,
        "records_expected": state.records_expected,
        "entries": state.entries,
        "reported_gco2e": state.reported_ugco2e / MICRO,
        "before_gco2e": before / MICRO,
        "after_gco2e": after / MICRO,
        "difference_gco2e": (after - before) / MICRO,
        "reported_market_gco2e": None if market is None else market.reported / MICRO,
        "before_market_gco2e": None if market is None else market.before / MICRO,
        "after_market_gco2e": None if market is None else market.after / MICRO,
        **materiality(
            RestatedCarbon(state.reported_ugco2e, after),
            None if market is None else RestatedCarbon(market.reported, market.after),
            threshold_percent,
        ),
        "by_cause": {cause: amount / MICRO for cause, amount in state.by_cause.items()},
        "market_by_cause": {cause: amount / MICRO for cause, amount in state.market_by_cause.items()},
        "problem": state.problem,
    }
