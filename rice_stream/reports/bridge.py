"""From what was reported of a stretch of time to what is known of it by now, step by step, each correction by its cause."""

from datetime import datetime
from typing import Any, NamedTuple, get_args

from rice_stream.errors import UsageError
from rice_stream.quantities import MEASURES, MICRO
from rice_stream.reports.materiality import THRESHOLD_PERCENT, RestatedCarbon, materiality
from rice_stream.reports.spans import Span
from rice_stream.reports.sums import NOW_US
from rice_stream.reports.time_zones import described_window
from rice_stream.reports.totals import asked_of
from rice_stream.reports.totals_ground import EVERY_ZONE
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.reports.totals_sums import Asked, groups_and_parts_once
from rice_stream.store.engine import Engine
from rice_stream.store.entry_columns import Cause
from rice_stream.store.event_key_columns import key_bounds
from rice_stream.store.prepared import rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in
from rice_stream.store.snapshot import snapshot

STEPS: tuple[Cause, ...] = ("method", "factors", "evidence", "mapping", "late", "void", "true_up", "contract")
"""In the order in which a bridge tells them."""
if set(STEPS) != set(get_args(Cause)):
    raise AssertionError("a cause without its step")


class _Amounts(NamedTuple):
    """What a step of a bridge adds; `_SUMMED` in this order."""

    prompts: int = 0
    facility_energy_uwh: int = 0
    carbon_mid_ugco2e: int = 0
    carbon_market_ugco2e: int = 0

    def minus(self, other: "_Amounts") -> "_Amounts":
        return _Amounts(*(mine - its for mine, its in zip(self, other, strict=True)))

    @property
    def told(self) -> dict[str, Any]:
        """Whole micrograms as well: with them the bridge adds up exactly."""
        return {
            "prompts": self.prompts,
            "facility_energy_wh": self.facility_energy_uwh / MICRO,
            "carbon_ugco2e": self.carbon_mid_ugco2e,
            "carbon_gco2e": self.carbon_mid_ugco2e / MICRO,
            "carbon_market_ugco2e": self.carbon_market_ugco2e,
            "carbon_market_gco2e": self.carbon_market_ugco2e / MICRO,
        }


_SUMMED = _Amounts._fields


def bridge(
    engine: Engine, scope: Scope, query: TotalsQuery, now: datetime, *, threshold_percent: float = THRESHOLD_PERCENT
) -> dict[str, Any]:
    """The bridge of a stretch of time and some names, as of `now` or of the query's instant; middle values throughout.

    Returns:
        `{"window", "as_of", "reported", "steps", "restated", "materiality_percent", "materiality_market_percent",
        "threshold_percent", "material"}`: what was reported and the steps add up to what is restated, to the microgram. All STEPS
        are there, with 0 where nothing has that cause. `materiality_percent` is the change as a share of what was reported, None
        where that is nothing; the other one that of carbon by the market. Either is enough to be material.

    Raises:
        UsageError: as from `totals`; or the scope is of some teams only: a group of corrections may be of several.
    """
    if scope.teams:
        raise UsageError("a bridge is of whole tenants: this needs a token for all teams; --team narrows it to one")
    with snapshot(engine, scope) as connection:
        asked, zone, ranges = asked_of(connection, scope.within(query.tenant), query, now)
        asked = asked._replace(ranges=False)
        restated = _restated(asked)
        by_cause = _by_cause(asked)
    corrected = _Amounts(*map(sum, zip(*by_cause.values(), strict=True))) if by_cause else _Amounts()
    reported = restated.minus(corrected)
    location = RestatedCarbon(reported.carbon_mid_ugco2e, restated.carbon_mid_ugco2e)
    market = RestatedCarbon(reported.carbon_market_ugco2e, restated.carbon_market_ugco2e)
    return {
        "window": {"name": query.window, **described_window(zone, ranges)},
        "as_of": query.told.get("as_of"),
        "reported": reported.told,
        "steps": [{"cause": cause, **by_cause.get(cause, _Amounts()).told} for cause in STEPS],
        "restated": restated.told,
        **materiality(location, market, threshold_percent),
    }


def _restated(asked: Asked) -> _Amounts:
    places = [MEASURES.index(name) for name in _SUMMED]
    groups = groups_and_parts_once(asked).groups.values()
    return _Amounts(*(sum(sums[place] for sums in groups) for place in places))


def _by_cause(asked: Asked) -> dict[str, _Amounts]:
    """What the entries of the stretches add up to, of those that were known by the instant."""
    if not asked.spans or not asked.ground.has_entries:
        return {}
    dialect = asked.connection.dialect.name
    stretches: list[str] = []
    parameters: dict[str, Any] = {}
    for number, span in enumerate(asked.spans):
        stretches.append(_stretch(number, span))
        key_low, key_high = key_bounds(dialect, span.from_us, span.to_us)
        bounds = {"low": span.from_us, "high": span.to_us, "key_low": key_low, "key_high": key_high}
        parameters |= {f"{name}_{number}": bound for name, bound in bounds.items()}
        if span.time_zone != EVERY_ZONE:
            parameters[f"zone_{number}"] = span.time_zone
    wanted = [
        f"({' OR '.join(stretches)})",
        tenant_key_in(asked.scope, "m.tenant_key"),
        attribution_in(asked.scope, "m"),
        *asked.where.conditions("m"),
    ]
    if asked.knowledge.as_of_us != NOW_US:
        wanted.append("m.recorded_us <= :as_of_us")
        parameters["as_of_us"] = asked.knowledge.as_of_us
    # Added up by group first: those are few, whatever the number of entries.
    summed = statement(
        f"SELECT a.cause, {', '.join(f'SUM(s{place})' for place in range(len(_SUMMED)))} FROM ("
        f"SELECT m.adjustment_key, {', '.join(f'SUM(m.{name}) AS s{place}' for place, name in enumerate(_SUMMED))}"
        f" FROM adjustment_entry m JOIN tenant t ON t.tenant_key = m.tenant_key"
        f" WHERE {' AND '.join(wanted)} GROUP BY m.adjustment_key"
        ") g JOIN adjustment a ON a.adjustment_key = g.adjustment_key GROUP BY a.cause"
    )
    parameters |= {**scope_parameters(asked.scope), **asked.where.parameters}
    rows = rows_of(asked.connection, summed, parameters)
    return {cause: _Amounts(*map(int, amounts)) for cause, *amounts in rows}


def _stretch(number: int, span: Span) -> str:
    of_zone = "" if span.time_zone == EVERY_ZONE else f"t.time_zone = :zone_{number} AND "
    return (
        f"({of_zone}m.ended_at_us >= :low_{number} AND m.ended_at_us < :high_{number}"
        f" AND m.event_key >= :key_low_{number} AND m.event_key < :key_high_{number})"
    )
