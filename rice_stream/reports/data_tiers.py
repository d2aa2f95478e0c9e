"""How well the carbon of some days is known: what part of it was measured, estimated, or rests on defaults, from the totals."""

from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

from sqlalchemy import text

from rice_stream.events.formats.reading.attribution import UNKNOWN_TENANT
from rice_stream.instants import DAY_S, epoch_s
from rice_stream.quantities import MICRO
from rice_stream.reference.types import KNOWN_MODEL_RUNGS, is_place_assumed
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_id_in
from rice_stream.store.scoped import scoped_reading

TIERS = ("measured", "estimated", "defaulted")
_STATEMENT = """
WITH sums AS (
    SELECT m.tenant_key, m.attribution_key, m.factor_key, SUM(m.prompts) AS prompts, SUM(m.carbon_mid_ugco2e) AS carbon
    FROM day_total m WHERE m.day_start_s >= :from_s AND m.day_start_s < :to_s AND {attribution}
    GROUP BY m.tenant_key, m.attribution_key, m.factor_key
), metered AS MATERIALIZED (
    SELECT factor_key FROM factor_use WHERE detail LIKE '%"measured":{{%'
)
SELECT f.model_rung, f.region_rung, t.tenant_id, COALESCE(a.team_id, '') = '', e.factor_key IS NOT NULL,
    SUM(s.prompts), SUM(s.carbon)
FROM sums s JOIN tenant t ON t.tenant_key = s.tenant_key JOIN factor_use f ON f.factor_key = s.factor_key
JOIN attribution a ON a.tenant_key = s.tenant_key AND a.attribution_key = s.attribution_key
LEFT JOIN metered e ON e.factor_key = s.factor_key
WHERE {tenant} GROUP BY 1, 2, 3, 4, 5"""


class _Kind(NamedTuple):
    """Prompts that are known equally well."""

    model_rung: str
    region_rung: str
    tenant_id: str
    no_team: bool
    metered: bool
    prompts: int
    carbon_ugco2e: int

    @property
    def tier(self) -> str:
        """The weakest of what the estimate rests on: energy from a meter at a place that was assumed is defaulted."""
        unknown = self.model_rung not in KNOWN_MODEL_RUNGS or self.tenant_id == UNKNOWN_TENANT
        if unknown or is_place_assumed(self.region_rung):
            return "defaulted"
        return "measured" if self.metered else "estimated"


def data_tiers(engine: Engine, scope: Scope, first: date, last: date) -> dict[str, Any]:
    """Of the days of UTC from `first` to `last`, both included.

    Returns:
        `{"prompts", "carbon_gco2e", "shares": {"measured", "estimated", "defaulted"}, "unattributed"}`. The three shares of the
        carbon add up to 1: `measured` is metered energy, `defaulted` is what names a model, a place or a tenant that no table
        knows (the `any` of `coverage`), `estimated` is all else. `unattributed` is the share that names no team, whatever its
        tier. All are None where there is no carbon.
    """
    statement = _STATEMENT.format(attribution=attribution_in(scope, "m"), tenant=tenant_id_in(scope))
    stretch = {"from_s": _start_s(first), "to_s": _start_s(last) + DAY_S}
    with scoped_reading(engine, scope) as connection:
        rows = connection.execute(text(statement), {**stretch, **scope_parameters(scope)}).all()
    # PostgreSQL sums BIGINT as NUMERIC.
    kinds = [
        _Kind._make((*names, bool(no_team), bool(metered), int(prompts), int(ugco2e)))
        for *names, no_team, metered, prompts, ugco2e in rows
    ]
    carbon = sum(kind.carbon_ugco2e for kind in kinds)

    def share(amount: int) -> float | None:
        return amount / carbon if carbon else None

    return {
        "prompts": sum(kind.prompts for kind in kinds),
        "carbon_gco2e": carbon / MICRO,
        "shares": {tier: share(sum(kind.carbon_ugco2e for kind in kinds if kind.tier == tier)) for tier in TIERS},
        "unattributed": share(sum(kind.carbon_ugco2e for kind in kinds if kind.no_team)),
    }


def _start_s(day: date) -> int:
    return epoch_s(datetime.combine(day, time(), UTC))
