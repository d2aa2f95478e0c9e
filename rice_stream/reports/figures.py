"""The figures of a dashboard: what is stored and how it stands now, in a few small queries on the totals.

The records are never read, so the answer takes the same time however many prompts there are.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, text

from rice_stream.budgets.announcement import in_units
from rice_stream.budgets.definition import Bound, Budget
from rice_stream.budgets.periods import period_at
from rice_stream.budgets.states import BudgetState, Consumed, State
from rice_stream.quantities import MICRO
from rice_stream.reference.types import KNOWN_MODEL_RUNGS, is_place_assumed
from rice_stream.reports.alerts import alerts_in
from rice_stream.reports.carbon_ranges import CarbonRanges, added_parts
from rice_stream.reports.resolved_sums import resolved_sums
from rice_stream.store import budget_store, schema
from rice_stream.store.consumption import consumed_in_each
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.factor_spreads import ENDS
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters
from rice_stream.store.scoped import scoped_reading

_PART_OF = ("tenant_id", "model_resolved", "model_rung", "region_resolved", "region_rung", "factor_key")
_UNKNOWN_MODELS = "(unknown models)"
"""Models that no table knows are one line: how they were estimated says more than their many names."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Exact integer sums of some prompts, in the units of the totals tables; low and high are the ends of the carbon's range."""

    prompts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    facility_energy_uwh: int = 0
    carbon_low_ugco2e: int = 0
    carbon_mid_ugco2e: int = 0
    carbon_high_ugco2e: int = 0

    @property
    def facility_energy_wh(self) -> float:
        """In watt-hours."""
        return self.facility_energy_uwh / MICRO

    @property
    def carbon_gco2e(self) -> dict[str, float]:
        """Low, mid and high in grams."""
        return {
            "low": self.carbon_low_ugco2e / MICRO,
            "mid": self.carbon_mid_ugco2e / MICRO,
            "high": self.carbon_high_ugco2e / MICRO,
        }


SHOWN = tuple(field.name for field in fields(Sums))
"""The measures of a dashboard's sums."""


class _Part(NamedTuple):
    """A tenant's prompts of one use of factors, and their sums; low and high are those of all ends."""

    tenant_id: str
    model: str
    model_rung: str
    region: str
    region_rung: str
    factor_key: int
    sums: Sums

    @property
    def model_is_known(self) -> bool:
        return self.model_rung in KNOWN_MODEL_RUNGS

    @property
    def is_assumed(self) -> bool:
        """Whether the model or the place was assumed."""
        return not self.model_is_known or is_place_assumed(self.region_rung)


@dataclass(frozen=True, slots=True)
class Named:
    """One tenant, model or region and its sums."""

    name: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class BudgetFigure:
    """A budget with what its present period has consumed, and its state as the worker last judged it."""

    name: str
    tenant_id: str
    scope: str
    limit: float
    unit: str
    period: str
    thresholds: tuple[float, ...]
    consumed: float
    ratio: float
    reached: tuple[float, ...]
    """The thresholds at or above which the consumption is now, whether or not that was judged already."""
    state: State
    estimate: Bound = "mid"
    """Which end of the range `consumed` is."""


@dataclass(frozen=True, slots=True)
class Accounted:
    """What became of the events read from Kafka."""

    recorded: int = 0
    duplicates: int = 0
    conflicts: int = 0
    quarantined: int = 0

    @property
    def events(self) -> int:
        return self.recorded + self.duplicates + self.conflicts + self.quarantined


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything a dashboard shows. `tenants`, `models`, `regions`: most gCO2e first; `reasons`: most frequent first."""

    totals: Sums
    tenants: tuple[Named, ...]
    models: tuple[Named, ...]
    regions: tuple[Named, ...]
    budgets: tuple[BudgetFigure, ...]
    accounted: Accounted
    reasons: tuple[tuple[str, int], ...]
    fallback_prompts: int
    """Prompts whose model or place no table knows by name: estimated from a family, a size or a region's average."""
    alert_ids: frozenset[str]
    """Every change of every budget that the store holds, delivered or not."""


NOTHING = Figures(Sums(), (), (), (), (), Accounted(), (), 0, frozenset())


def read_figures(engine: Engine, scope: Scope, now: datetime) -> Figures:
    """The figures as of `now`, in one read. StoreUnavailableError: the database does not answer.

    What became of the events read from Kafka, and why some were refused, belongs to no tenant: only who sees everything is told.
    """
    with scoped_reading(engine, scope) as connection:
        parts = _parts(connection, scope)
        ranges = CarbonRanges(connection, {part.factor_key for part in parts})
        return Figures(
            totals=_summed(parts, ranges),
            tenants=_named(parts, ranges, lambda part: part.tenant_id),
            models=_named(parts, ranges, lambda part: part.model if part.model_is_known else _UNKNOWN_MODELS),
            regions=_named(parts, ranges, lambda part: part.region),
            budgets=_budgets(connection, scope, now),
            accounted=_accounted(connection) if scope.is_everything else Accounted(),
            reasons=_reasons(connection) if scope.is_everything else (),
            fallback_prompts=sum(part.sums.prompts for part in parts if part.is_assumed),
            alert_ids=_alert_ids(connection, scope),
        )


def read_versions(engine: Engine, scope: Scope) -> tuple[str, str]:
    """(method version, factor version) of the store's first estimate: a table of no tenant's, the same in every scope."""
    factor = schema.factor_use.c
    query = select(factor.method_version, factor.factor_version).order_by(factor.factor_key).limit(1)
    with scoped_reading(engine, scope) as connection:
        method_version, factor_version = connection.execute(query).one()
    return method_version, factor_version


def _alert_ids(connection: Connection, scope: Scope) -> frozenset[str]:
    query = select(schema.alert.c.id).where(text(alerts_in(scope, connection.dialect.name)))
    return frozenset(connection.scalars(query, scope_parameters(scope)))


def _parts(connection: Connection, scope: Scope) -> list[_Part]:
    rows = resolved_sums(connection, scope, _PART_OF, SHOWN)
    return [_Part._make((*names, Sums(*amounts))) for names, amounts in rows]


def _named(parts: Iterable[_Part], ranges: CarbonRanges, name_of: Callable[[_Part], str]) -> tuple[Named, ...]:
    groups: dict[str, list[_Part]] = {}
    for part in parts:
        groups.setdefault(name_of(part), []).append(part)
    rows = (Named(name, _summed(of_name, ranges)) for name, of_name in groups.items())
    return tuple(sorted(rows, key=lambda row: (-row.sums.carbon_mid_ugco2e, row.name)))


def _summed(parts: Sequence[_Part], ranges: CarbonRanges) -> Sums:
    """The sum of the parts, with its range."""
    linear = Sums(*(sum(getattr(part.sums, name) for part in parts) for name in SHOWN))
    by_factor = added_parts({part.factor_key: [getattr(part.sums, name) for name in ENDS]} for part in parts)
    carbon = ranges.of(linear.carbon_mid_ugco2e, by_factor)
    return replace(linear, carbon_low_ugco2e=carbon.low, carbon_high_ugco2e=carbon.high)


def _accounted(connection: Connection) -> Accounted:
    table = schema.kafka_progress
    names = ("recorded", "duplicates", "conflicts", "quarantined")
    row = connection.execute(select(*(func.coalesce(func.sum(table.c[name]), 0).label(name) for name in names))).one()
    return Accounted(*(int(value) for value in row))


def _reasons(connection: Connection) -> tuple[tuple[str, int], ...]:
    table = schema.quarantine
    rows = connection.execute(select(table.c.reason, func.count()).group_by(table.c.reason)).all()
    return tuple(sorted(((str(reason), int(count)) for reason, count in rows), key=lambda row: (-row[1], row[0])))


def _budgets(connection: Connection, scope: Scope, now: datetime) -> tuple[BudgetFigure, ...]:
    stored = budget_store.load_budgets(connection, scope).readable
    asked = [(budget, period_at(budget, now)) for budget, _ in stored]
    consumed = consumed_in_each(connection, asked, with_ranges=False)
    return tuple(_budget(*each, amounts) for each, amounts in zip(stored, consumed, strict=True))


def _budget(budget: Budget, state: BudgetState, consumed: Consumed) -> BudgetFigure:
    amount = consumed.amount(budget)
    return BudgetFigure(
        name=budget.name,
        tenant_id=budget.tenant_id,
        scope=_scope(budget),
        limit=in_units(budget, budget.limit),
        unit=budget.unit,
        period=budget.period,
        thresholds=budget.thresholds,
        consumed=in_units(budget, amount),
        ratio=consumed.ratio(budget),
        reached=tuple(t for t in budget.thresholds if budget.reached(t, amount)),
        state=state.state,
        estimate=budget.estimate,
    )


def _scope(budget: Budget) -> str:
    parts: Sequence[str | None] = (budget.team_id, budget.project_id, budget.cost_centre, budget.user_id, budget.model)
    return ", ".join(part for part in parts if part)
