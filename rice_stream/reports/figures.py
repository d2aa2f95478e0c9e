"""The figures of a dashboard: what is stored and how it stands now, in a few small queries on the totals.

The records are never read, so the answer takes the same time however many prompts there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import func, select

from rice_stream.budgets.announcement import in_units
from rice_stream.budgets.definition import Bound, Budget
from rice_stream.budgets.periods import period_at
from rice_stream.budgets.states import BudgetState, Consumed, State
from rice_stream.quantities import MICRO
from rice_stream.reference.types import KNOWN_MODEL_RUNGS, is_place_assumed
from rice_stream.reports.resolved_sums import resolved_sums
from rice_stream.store import budget_store, schema
from rice_stream.store.consumption import consumed_in_each
from rice_stream.store.engine import Connection, Engine, reading

_RESOLVED = ("model_resolved", "model_rung", "region_resolved", "region_rung")
_UNKNOWN_MODELS = "(unknown models)"
"""Models that no table knows are one line: how they were estimated says more than their many names."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Exact integer sums of some prompts, in the units of the totals tables."""

    prompts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    facility_energy_uwh: int = 0
    carbon_low_ugco2e: int = 0
    carbon_mid_ugco2e: int = 0
    carbon_high_ugco2e: int = 0

    @classmethod
    def of(cls, parts: Iterable["Sums"]) -> "Sums":
        """The sum of several sums."""
        added = list(parts)
        return cls(*(sum(getattr(sums, name) for sums in added) for name in SHOWN))

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


def read_figures(engine: Engine, now: datetime) -> Figures:
    """The figures as of `now`, in one read. StoreUnavailableError: the database does not answer."""
    with reading(engine) as connection:
        tenants = _tenants(connection)
        models, regions, fallback_prompts = _models_and_regions(connection)
        return Figures(
            totals=Sums.of(tenant.sums for tenant in tenants),
            tenants=tenants,
            models=models,
            regions=regions,
            budgets=_budgets(connection, now),
            accounted=_accounted(connection),
            reasons=_reasons(connection),
            fallback_prompts=fallback_prompts,
            alert_ids=frozenset(connection.scalars(select(schema.alert.c.id))),
        )


def read_versions(engine: Engine) -> tuple[str, str]:
    """(method version, factor version) of the store's first estimate."""
    factor = schema.factor_use.c
    query = select(factor.method_version, factor.factor_version).order_by(factor.factor_key).limit(1)
    with reading(engine) as connection:
        method_version, factor_version = connection.execute(query).one()
    return method_version, factor_version


def _tenants(connection: Connection) -> tuple[Named, ...]:
    table, tenant = schema.tenant_day_total, schema.tenant
    query = (
        select(tenant.c.tenant_id, *(func.sum(table.c[name]) for name in SHOWN))
        .join(tenant, tenant.c.tenant_key == table.c.tenant_key)
        .group_by(tenant.c.tenant_id)
    )
    # PostgreSQL sums BIGINT as NUMERIC.
    return _ordered(Named(name, Sums(*map(int, sums))) for name, *sums in connection.execute(query))


def _models_and_regions(connection: Connection) -> tuple[tuple[Named, ...], tuple[Named, ...], int]:
    """Models, regions, and how many prompts have a model or a place that was assumed."""
    models: list[tuple[str, Sums]] = []
    regions: list[tuple[str, Sums]] = []
    assumed_prompts = 0
    for (model, model_rung, region, region_rung), amounts in resolved_sums(connection, _RESOLVED, SHOWN):
        sums, known = Sums(*amounts), model_rung in KNOWN_MODEL_RUNGS
        models.append((model if known else _UNKNOWN_MODELS, sums))
        regions.append((region, sums))
        if not known or is_place_assumed(region_rung):
            assumed_prompts += sums.prompts
    return _grouped(models), _grouped(regions), assumed_prompts


def _grouped(rows: Iterable[tuple[str, Sums]]) -> tuple[Named, ...]:
    groups: dict[str, list[Sums]] = {}
    for name, sums in rows:
        groups.setdefault(name, []).append(sums)
    return _ordered(Named(name, Sums.of(parts)) for name, parts in groups.items())


def _ordered(rows: Iterable[Named]) -> tuple[Named, ...]:
    return tuple(sorted(rows, key=lambda row: (-row.sums.carbon_mid_ugco2e, row.name)))


def _accounted(connection: Connection) -> Accounted:
    table = schema.kafka_progress
    names = ("recorded", "duplicates", "conflicts", "quarantined")
    row = connection.execute(select(*(func.coalesce(func.sum(table.c[name]), 0).label(name) for name in names))).one()
    return Accounted(*(int(value) for value in row))


def _reasons(connection: Connection) -> tuple[tuple[str, int], ...]:
    table = schema.quarantine
    rows = connection.execute(select(table.c.reason, func.count()).group_by(table.c.reason)).all()
    return tuple(sorted(((str(reason), int(count)) for reason, count in rows), key=lambda row: (-row[1], row[0])))


def _budgets(connection: Connection, now: datetime) -> tuple[BudgetFigure, ...]:
    stored = budget_store.load_budgets(connection).readable
    consumed = consumed_in_each(connection, [(budget, period_at(budget, now)) for budget, _ in stored])
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
    parts: Sequence[str | None] = (budget.team_id, budget.project_id, budget.user_id, budget.model)
    return ", ".join(part for part in parts if part)
