"""What rests on senders' own word, by source: carbon by factors that events stated and by metered energy, claimed cache hits."""

from collections.abc import Sequence
from typing import Any

from rice_stream.quantities import MICRO
from rice_stream.reports.coverage_parts import CoveredWhole
from rice_stream.store.engine import Connection
from rice_stream.store.factor_spreads import METERED, STATED
from rice_stream.store.prepared import rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, team_in, tenant_key_in

_CACHE_HIT = "detail LIKE '%\"gateway_cache_hit\":%'"
"""A condition on a row of `factor_use`: a gateway answered."""
CLAIMED = f"CASE WHEN {STATED} OR {_CACHE_HIT} THEN 1 ELSE 0 END"
"""Of a row of `factor_use`: whether anything rests on a sender's word."""
_STATEMENT = f"""
WITH claimed AS MATERIALIZED (
    SELECT factor_key, CASE WHEN {_CACHE_HIT} THEN 1 ELSE 0 END AS cache_hit, CASE WHEN {METERED} THEN 1 ELSE 0 END AS metered
    FROM factor_use WHERE {STATED} OR {_CACHE_HIT}
)
SELECT c.cache_hit, c.metered, a.source, SUM(m.prompts), SUM(m.input_tokens) + SUM(m.output_tokens), SUM(m.carbon_mid_ugco2e)
FROM slot_total m JOIN claimed c ON c.factor_key = m.factor_key
JOIN attribution a ON a.tenant_key = m.tenant_key AND a.attribution_key = m.attribution_key
WHERE m.slot_start_s >= :from_s AND {{scope}} GROUP BY c.cache_hit, c.metered, a.source"""
"""From the quarter-hour totals: a kind of requests has its own row of factors where factors were stated, or a cache hit."""

_Row = tuple[str, int, int, int]
"""Source, prompts, tokens, micrograms CO2e."""


def claims(
    connection: Connection, scope: Scope, from_s: int, whole: CoveredWhole, *, any_claimed: bool
) -> dict[str, Any]:
    """What rests on senders' word since `from_s` (epoch seconds, on a quarter hour). `any_claimed`: there is something CLAIMED;
    it is not asked for otherwise.

    Returns:
        `{"event_factors": {"rows": [{"source", "prompts", "tokens", "carbon_gco2e", "share_of_carbon"}], "rows_total",
        "prompts", "tokens", "carbon_gco2e", "share_of_carbon"}, "metered_energy": the same of the part of it whose energy was
        metered, "cache_hits": {"rows": [{"source", "prompts", "tokens",
        "share_of_prompts"}], "rows_total", "prompts", "tokens", "share_of_prompts"}}`, most carbon and most tokens first.
    """
    metered: list[_Row] = []
    hits: list[_Row] = []
    others: list[_Row] = []
    asked = statement(_STATEMENT.replace("{scope}", f"{tenant_key_in(scope, 'm.tenant_key')} AND {team_in(scope)}"))
    parameters = {"from_s": from_s, **scope_parameters(scope)}
    for cache_hit, is_metered, source, *sums in rows_of(connection, asked, parameters) if any_claimed else ():
        # PostgreSQL sums BIGINT as NUMERIC.
        (hits if cache_hit else metered if is_metered else others).append((source, *map(int, sums)))
    stated = _by_source([*others, *metered])
    for rows in (stated, metered):
        rows.sort(key=lambda row: (-row[3], row[0]))
    hits.sort(key=lambda row: (-row[2], row[0]))

    def of_factors(rows: Sequence[_Row]) -> dict[str, Any]:
        carbon = sum(row[3] for row in rows)
        return {
            **_counts(rows),
            "carbon_gco2e": carbon / MICRO,
            "share_of_carbon": whole.share_of_carbon(carbon),
        }

    def of_hits(rows: Sequence[_Row]) -> dict[str, Any]:
        counts = _counts(rows)
        return {**counts, "share_of_prompts": counts["prompts"] / whole.prompts if whole.prompts else None}

    return {
        name: {
            "rows": [{"source": row[0] or None, **described([row])} for row in rows[: whole.limit]],
            "rows_total": len(rows),
            **described(rows),
        }
        for name, rows, described in (
            ("event_factors", stated, of_factors),
            ("metered_energy", metered, of_factors),
            ("cache_hits", hits, of_hits),
        )
    }


def _by_source(rows: Sequence[_Row]) -> list[_Row]:
    found: dict[str, _Row] = {}
    for source, *sums in rows:
        _, *before = found.get(source, (source, 0, 0, 0))
        found[source] = (source, before[0] + sums[0], before[1] + sums[1], before[2] + sums[2])
    return list(found.values())


def _counts(rows: Sequence[_Row]) -> dict[str, int]:
    return {"prompts": sum(row[1] for row in rows), "tokens": sum(row[2] for row in rows)}
