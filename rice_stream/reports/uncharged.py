"""What no cost centre is charged for, by team, of the tenants that have any: a work list."""

from collections.abc import Sequence
from typing import Any

from rice_stream.quantities import MICRO
from rice_stream.reports.coverage_parts import CoveredWhole, Part
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Connection
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, team_in, tenant_key_in
from rice_stream.store.totals_tables import DAYS, SLOTS, TotalsTable


def uncharged_later(connection: Connection, scope: Scope, from_s: int) -> Part:
    """Prompts without a cost centre that ended since `from_s` (epoch seconds, on a quarter hour), as corrected by now; none of
    tenants without cost centres.

    Returns:
        `{"rows": [{"tenant_id", "team_id", "prompts", "tokens", "carbon_gco2e", "share_of_carbon"}], "rows_total", "prompts",
        "tokens", "carbon_gco2e", "share_of_carbon"}`, most carbon first; `team_id` None: they name no team.
    """
    sums = f"{_of(DAYS, scope, 'm.day_start_s >= :whole_s')} UNION ALL {_of(SLOTS, scope, _BEFORE)}"
    asked = statement(
        "SELECT t.tenant_id, NULLIF(s.team_id, '') AS team_id, SUM(s.prompts) AS prompts, SUM(s.tokens) AS tokens,"
        f" SUM(s.carbon) AS carbon FROM ({sums}) s JOIN tenant t ON t.tenant_key = s.tenant_key"
        " GROUP BY t.tenant_id, s.team_id HAVING SUM(s.prompts) <> 0 ORDER BY carbon DESC, t.tenant_id, team_id"
    )
    bounds = {"from_s": from_s, "whole_s": DAYS.ceil_s(from_s)}
    rows = rows_later(connection, asked, {**bounds, **scope_parameters(scope)})
    return lambda whole: _told(rows(), whole)


def _told(rows: Sequence[Sequence[Any]], whole: CoveredWhole) -> dict[str, Any]:
    # PostgreSQL sums BIGINT as NUMERIC.
    found = [(tenant, team, int(prompts), int(tokens), int(carbon)) for tenant, team, prompts, tokens, carbon in rows]

    def described(prompts: int, tokens: int, carbon: int) -> dict[str, Any]:
        share = whole.share_of_carbon(carbon)
        return {"prompts": prompts, "tokens": tokens, "carbon_gco2e": carbon / MICRO, "share_of_carbon": share}

    return {
        "rows": [{"tenant_id": row[0], "team_id": row[1], **described(*row[2:])} for row in found[: whole.limit]],
        "rows_total": len(found),
        **described(*(sum(row[place] for row in found) for place in (2, 3, 4))),
    }


_BEFORE = "m.slot_start_s >= :from_s AND m.slot_start_s < :whole_s"


def _of(table: TotalsTable, scope: Scope, within: str) -> str:
    whose = f"{tenant_key_in(scope, 'm.tenant_key')} AND {team_in(scope)}"
    return (
        "SELECT m.tenant_key, a.team_id, SUM(m.prompts) AS prompts, SUM(m.input_tokens + m.output_tokens) AS tokens,"
        f" SUM(m.carbon_mid_ugco2e) AS carbon FROM {table.name} m"
        " JOIN attribution a ON a.tenant_key = m.tenant_key AND a.attribution_key = m.attribution_key"
        f" WHERE {within} AND {whose} AND a.cost_centre = ''"
        " AND m.tenant_key IN (SELECT c.tenant_key FROM attribution c WHERE c.cost_centre <> '')"
        # Where nobody has any, this is looked at once, and no total is read.
        f" AND EXISTS (SELECT 1 FROM attribution c WHERE c.cost_centre <> '' AND {tenant_key_in(scope, 'c.tenant_key')})"
        " GROUP BY m.tenant_key, a.team_id"
    )
