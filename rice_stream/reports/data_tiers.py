"""How well the carbon of some days is known: the share of each tier, from the totals."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

from rice_stream.events.unnamed import UNKNOWN_TENANT
from rice_stream.instants import DAY_S, epoch_s
from rice_stream.quantities import MICRO
from rice_stream.reports.tier_words import KNOWN_TIERS, TIERS, tier_of
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Engine
from rice_stream.store.factor_spreads import METERED, STATED, RestsOn
from rice_stream.store.prepared import Statement, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_id_in, tenant_key_in
from rice_stream.store.scoped import scoped_reading

_SUMS = """
    SELECT {number} AS stretch, m.tenant_key, m.attribution_key, m.factor_key, SUM(m.prompts) AS prompts,
        SUM(m.carbon_mid_ugco2e) AS carbon
    FROM day_total m WHERE m.day_start_s >= :from_{number}_s AND m.day_start_s < :to_{number}_s AND {whose}
    GROUP BY m.tenant_key, m.attribution_key, m.factor_key"""
_STATEMENT = f"""
WITH sums AS ({{sums}}
), claimed AS MATERIALIZED (
    SELECT factor_key, CASE WHEN {METERED.replace("{", "{{")} THEN 1 ELSE 0 END AS metered FROM factor_use
    WHERE {STATED} OR {METERED.replace("{", "{{")}
)
SELECT f.model, f.model_rung, f.region, f.region_rung, COALESCE(e.metered, 0), e.factor_key IS NOT NULL, t.tenant_id,
    COALESCE(a.team_id, '') = '' AS no_team, s.stretch, SUM(s.prompts) AS prompts, SUM(s.carbon) AS carbon
FROM sums s JOIN tenant t ON t.tenant_key = s.tenant_key JOIN factor_use f ON f.factor_key = s.factor_key
JOIN attribution a ON a.tenant_key = s.tenant_key AND a.attribution_key = s.attribution_key
LEFT JOIN claimed e ON e.factor_key = s.factor_key
WHERE {{tenant}} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"""


class _Row(NamedTuple):
    """As the statement answers."""

    model: str
    model_rung: str
    region: str
    region_rung: str
    metered: int
    stated: bool
    tenant_id: str
    no_team: bool
    stretch: int
    prompts: int
    carbon: int


class _Kind(NamedTuple):
    """Prompts that are known equally well."""

    tier: str
    no_team: bool
    prompts: int
    carbon_ugco2e: int


def data_tiers(engine: Engine, scope: Scope, first: date, last: date) -> dict[str, Any]:
    """Of the days of UTC from `first` to `last`, both included.

    Returns:
        `{"prompts", "carbon_gco2e", "shares": {tier: share of the carbon}, "known", "unattributed"}`. The shares of all TIERS add
        up to 1; `known` is that of the first three, whose model, place and tenant are known (what `coverage` calls covered).
        `unattributed` is the share that names no team, whatever its tier. All are None where there is no carbon.
    """
    return data_tiers_of_each(engine, scope, [(first, last)])[0]


def data_tiers_of_each(engine: Engine, scope: Scope, stretches: Sequence[tuple[date, date]]) -> list[dict[str, Any]]:
    """The same of several stretches, which may have days in common."""
    return data_tiers_later(engine, scope, stretches)()


def data_tiers_later(
    engine: Engine, scope: Scope, stretches: Sequence[tuple[date, date]]
) -> Callable[[], list[dict[str, Any]]]:
    """The same, once: asked now, and waited for when it is called (`asked_ahead`)."""
    with scoped_reading(engine, scope) as connection:
        rows = rows_later(connection, *_asked(scope, stretches))
    return lambda: _told_of_each(rows(), stretches)


def _asked(scope: Scope, stretches: Sequence[tuple[date, date]]) -> tuple[Statement, dict[str, Any]]:
    # Told twice whose it is: where the rows are read, so that only those of the scope are, and where names are.
    whose = f"{tenant_key_in(scope, 'm.tenant_key')} AND {attribution_in(scope, 'm')}"
    sums = " UNION ALL ".join(_SUMS.format(number=number, whose=whose) for number in range(len(stretches)))
    bounds = {
        name: moment_s
        for number, (first, last) in enumerate(stretches)
        for name, moment_s in ((f"from_{number}_s", _start_s(first)), (f"to_{number}_s", _start_s(last) + DAY_S))
    }
    asked = statement(_STATEMENT.format(sums=sums, tenant=tenant_id_in(scope)))
    return asked, {**bounds, **scope_parameters(scope)}


def _told_of_each(rows: Sequence[Sequence[Any]], stretches: Sequence[tuple[date, date]]) -> list[dict[str, Any]]:
    read = [_Row._make(row) for row in rows]
    return [_told([row for row in read if row.stretch == number]) for number in range(len(stretches))]


def _told(rows: Sequence[_Row]) -> dict[str, Any]:
    # PostgreSQL sums BIGINT as NUMERIC.
    kinds = [
        _Kind(
            tier_of(RestsOn._make((*row[:4], *map(bool, row[4:6]))), has_tenant=row.tenant_id != UNKNOWN_TENANT),
            bool(row.no_team),
            int(row.prompts),
            int(row.carbon),
        )
        for row in rows
    ]
    carbon = sum(kind.carbon_ugco2e for kind in kinds)

    def share(amount: int) -> float | None:
        return amount / carbon if carbon else None

    return {
        "prompts": sum(kind.prompts for kind in kinds),
        "carbon_gco2e": carbon / MICRO,
        "shares": {tier: share(sum(kind.carbon_ugco2e for kind in kinds if kind.tier == tier)) for tier in TIERS},
        "known": share(sum(kind.carbon_ugco2e for kind in kinds if kind.tier in KNOWN_TIERS)),
        "unattributed": share(sum(kind.carbon_ugco2e for kind in kinds if kind.no_team)),
    }


def _start_s(day: date) -> int:
    return epoch_s(datetime.combine(day, time(), UTC))
