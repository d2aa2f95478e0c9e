"""What no team was charged for, by the API key that it came with: a work list."""

from typing import Any

from rice_stream.events.unnamed import UNKNOWN_TENANT
from rice_stream.instants import SECOND_US
from rice_stream.quantities import MICRO
from rice_stream.reports.coverage_parts import CoveredWhole, Part
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Connection
from rice_stream.store.event_key_columns import key_bound
from rice_stream.store.prepared import rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, team_in, tenant_id_in

_NOBODYS = """SELECT a.tenant_key, a.attribution_key FROM attribution a JOIN tenant t ON t.tenant_key = a.tenant_key
  WHERE (a.team_id = '' OR t.tenant_id = :unknown) AND {tenants} AND {teams}"""
_STATEMENT = """
WITH nobodys AS ({nobodys}), amounts AS (
  SELECT r.tenant_key, r.api_key_key, 1 AS prompts,
    COALESCE(r.input_tokens, 0) + COALESCE(r.output_tokens, 0) AS tokens, r.carbon_mid_ugco2e AS carbon
  FROM prompt_record r
  WHERE r.event_key >= :key_low AND r.ended_at_us >= :from_us
    AND (r.tenant_key, r.attribution_key) IN (SELECT n.tenant_key, n.attribution_key FROM nobodys n)
  UNION ALL
  SELECT e.tenant_key, r.api_key_key, e.prompts, e.input_tokens + e.output_tokens, e.carbon_mid_ugco2e
  FROM adjustment_entry e JOIN prompt_record r ON r.tenant_key = e.tenant_key AND r.event_key = e.event_key
  WHERE e.counted = 1 AND e.event_key >= :key_low AND e.ended_at_us >= :from_us
    AND (e.tenant_key, e.attribution_key) IN (SELECT n.tenant_key, n.attribution_key FROM nobodys n)
), sums AS (
  SELECT m.tenant_key, m.api_key_key, SUM(m.prompts) AS prompts, SUM(m.tokens) AS tokens, SUM(m.carbon) AS carbon
  FROM amounts m GROUP BY m.tenant_key, m.api_key_key HAVING SUM(m.prompts) <> 0
)
SELECT t.tenant_id, p.name, s.prompts, s.tokens, s.carbon
FROM sums s JOIN tenant t ON t.tenant_key = s.tenant_key
LEFT JOIN principal p ON p.tenant_key = s.tenant_key AND p.principal_key = s.api_key_key
ORDER BY s.carbon DESC, t.tenant_id, p.name"""


def unattributed_later(connection: Connection, scope: Scope, from_s: int) -> Part:
    """Prompts without a team, or of no tenant, that ended since `from_s` (epoch seconds) and whose records are kept, as corrected
    by now: what was voided, or charged to somebody since, is not among them.

    Reads no record where everything was attributed.

    Returns:
        `{"rows": [{"tenant_id", "api_key_id", "prompts", "tokens", "carbon_gco2e", "share_of_carbon"}], "rows_total", "prompts",
        "tokens", "carbon_gco2e", "share_of_carbon"}`, most carbon first; `api_key_id` None: they came without a key.
    """
    nobodys = _NOBODYS.format(tenants=tenant_id_in(scope), teams=team_in(scope))
    parameters: dict[str, Any] = {"unknown": UNKNOWN_TENANT, **scope_parameters(scope)}
    any_of_them = rows_later(connection, statement(f"{nobodys} LIMIT 1"), parameters)

    def told(whole: CoveredWhole) -> dict[str, Any]:
        if not any_of_them():
            return _told([], whole)
        bounds = {
            "key_low": key_bound(connection.dialect.name, from_s * SECOND_US // 1000),
            "from_us": from_s * SECOND_US,
        }
        rows = rows_of(connection, statement(_STATEMENT.format(nobodys=nobodys)), {**parameters, **bounds})
        # PostgreSQL sums BIGINT as NUMERIC.
        found = [(tenant, key, int(prompts), int(tokens), int(carbon)) for tenant, key, prompts, tokens, carbon in rows]
        return _told(found, whole)

    return told


def _told(found: list[tuple[str, str | None, int, int, int]], whole: CoveredWhole) -> dict[str, Any]:
    def described(prompts: int, tokens: int, carbon: int) -> dict[str, Any]:
        share = whole.share_of_carbon(carbon)
        return {"prompts": prompts, "tokens": tokens, "carbon_gco2e": carbon / MICRO, "share_of_carbon": share}

    return {
        "rows": [{"tenant_id": row[0], "api_key_id": row[1], **described(*row[2:])} for row in found[: whole.limit]],
        "rows_total": len(found),
        **described(sum(row[2] for row in found), sum(row[3] for row in found), sum(row[4] for row in found)),
    }
