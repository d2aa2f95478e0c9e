"""What is not in the numbers of a stretch of time, and how much carbon that may be (scope 3 asks for quantified exclusions)."""

import json
from collections.abc import Callable
from typing import Any

from rice_stream.events.records import BATCH_NOT_UNPACKED, FURTHER_ITEMS
from rice_stream.events.refused_items import skipped_offsets
from rice_stream.instants import SECOND_US
from rice_stream.quantities import MICRO
from rice_stream.reports.coverage_parts import CoveredWhole, Part
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Connection
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_key_in

EXCLUDED_SHARE_MAX = 0.05
"""Of all carbon, what is excluded included (GHG Protocol, Scope 3 Phase 1 Progress Update, 31 March 2026: at least 95 % covered,
what is excluded quantified)."""
_REFUSED = {"held": "refused", "dropped": "put_aside"}
_SEVERAL = (FURTHER_ITEMS, BATCH_NOT_UNPACKED)
"""Reasons of rows that stand for more than one item, which their payload counts."""


def exclusions_later(connection: Connection, scope: Scope, from_s: int) -> Part:
    """Since `from_s` (epoch seconds), beside the carbon and the prompts that are in the numbers.

    Items in quarantine are no event that can be estimated: each counts as the mean prompt of that time, by when it arrived. What
    was voided counts as what was taken away, by when the prompt ended. Whose a refused item is nobody knows, so it is counted for
    who sees everything alone; and what was voided, for who sees every team of a tenant.

    Returns:
        `{"rows": [{"kind", "items", "carbon_gco2e", "by"}], "carbon_gco2e", "share_of_carbon", "share_max"}`. `kind` is `refused`
        (held in quarantine), `put_aside` (dropped from it) or `voided`; `by` is what the carbon is by: `mean_prompt` or `entries`.
        `carbon_gco2e` is None where there is no prompt to take a mean of; `share_of_carbon` is of what is counted and excluded
        together.
    """
    refused = _refused_items(connection, from_s) if scope.is_everything else dict
    voided = _voided(connection, scope, from_s)
    return lambda whole: _excluded(refused(), voided(), whole)


def _excluded(items: dict[str, int], voided: dict[str, Any], whole: CoveredWhole) -> dict[str, Any]:
    rows = [_refused(kind, items.get(status, 0), whole) for status, kind in _REFUSED.items()]
    rows.append(voided)
    known = [row["carbon_ugco2e"] for row in rows if row["carbon_ugco2e"] is not None]
    excluded = sum(known) if len(known) == len(rows) else None
    together = None if excluded is None else excluded + whole.carbon_ugco2e
    return {
        "rows": [_told(row) for row in rows],
        "carbon_gco2e": None if excluded is None else excluded / MICRO,
        "share_of_carbon": excluded / together if excluded is not None and together else None,
        "share_max": EXCLUDED_SHARE_MAX,
    }


def _told(row: dict[str, Any]) -> dict[str, Any]:
    amount = row["carbon_ugco2e"]
    carbon = None if amount is None else amount / MICRO
    return {"kind": row["kind"], "items": row["items"], "carbon_gco2e": carbon, "by": row["by"]}


def _refused_items(connection: Connection, from_s: int) -> Callable[[], dict[str, int]]:
    """By status."""
    of = "FROM quarantine WHERE received_at_us >= :since_us AND status <> 'replayed'"
    reasons = {f"reason_{place}": reason for place, reason in enumerate(_SEVERAL)}
    since = {"since_us": from_s * SECOND_US}
    counted = rows_later(connection, statement(f"SELECT status, COUNT(*) {of} GROUP BY status"), since)
    several = statement(
        f"SELECT status, reason, payload {of} AND reason IN ({', '.join(f':{name}' for name in reasons)})"
    )
    of_several = rows_later(connection, several, {**since, **reasons})

    def items() -> dict[str, int]:
        found = {status: int(count) for status, count in counted()}
        for status, reason, payload in of_several():
            found[status] += _items_of(reason, payload) - 1
        return found

    return items


def _refused(kind: str, items: int, whole: CoveredWhole) -> dict[str, Any]:
    mean = round(items * whole.carbon_ugco2e / whole.prompts) if whole.prompts else None
    return {"kind": kind, "items": items, "carbon_ugco2e": mean if items else 0, "by": "mean_prompt"}


def _items_of(reason: str, payload: str) -> int:
    """How many items a row stands for; of a batch that was not unpacked, its records, which are at least as many."""
    return len(skipped_offsets(payload)) if reason == BATCH_NOT_UNPACKED else int(json.loads(payload)["items"])


def _voided(connection: Connection, scope: Scope, from_s: int) -> Callable[[], dict[str, Any]]:
    if scope.teams:
        return lambda: _taken_away(0, 0)
    query = statement(
        "SELECT COALESCE(-SUM(e.prompts), 0), COALESCE(-SUM(e.carbon_mid_ugco2e), 0) FROM adjustment a"
        " JOIN adjustment_entry e ON e.tenant_key = a.tenant_key AND e.event_key = a.event_key"
        " AND e.adjustment_key = a.adjustment_key"
        " WHERE a.cause = 'void' AND e.ended_at_us >= :since_us"
        f" AND {tenant_key_in(scope, 'a.tenant_key')} AND {tenant_key_in(scope, 'e.tenant_key')}"
    )
    rows = rows_later(connection, query, {"since_us": from_s * SECOND_US, **scope_parameters(scope)})
    return lambda: _taken_away(*rows()[0])


def _taken_away(prompts: int, carbon_ugco2e: int) -> dict[str, Any]:
    # PostgreSQL sums BIGINT as NUMERIC.
    return {"kind": "voided", "items": int(prompts), "carbon_ugco2e": int(carbon_ugco2e), "by": "entries"}
