"""What the screen and the summary show of the store: a few small queries on the totals, never on the records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.sql.elements import ColumnElement

from rice_stream.budgets.announcement import in_units
from rice_stream.budgets.definition import Bound, Budget
from rice_stream.budgets.periods import period_at
from rice_stream.budgets.states import State
from rice_stream.reference.types import KNOWN_MODEL_RUNGS
from rice_stream.store import budget_store, schema
from rice_stream.store.consumption import consumed_in
from rice_stream.store.engine import reading

MEASURES = (
    "prompts",
    "input_tokens",
    "output_tokens",
    "facility_energy_uwh",
    "carbon_low_ugco2e",
    "carbon_mid_ugco2e",
    "carbon_high_ugco2e",
)

ASSUMED_REGION_RUNGS = ("area", "world", "vendor", "default_region")
"""The place of these prompts was not recognised as such: an average or the vendor's home stands for it."""


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
        """Everything of several sums together."""
        rows = list(parts)
        return cls(**{name: sum(getattr(row, name) for row in rows) for name in MEASURES})

    @property
    def carbon_gco2e(self) -> dict[str, float]:
        """Low, mid and high in grams."""
        return {
            "low": self.carbon_low_ugco2e / 1e6,
            "mid": self.carbon_mid_ugco2e / 1e6,
            "high": self.carbon_high_ugco2e / 1e6,
        }


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
    """All of it. `tenants`, `models` and `regions` come with the most gCO2e first; `reasons` with the most frequent."""

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


def read_figures(engine: Engine, now: datetime | None = None) -> Figures:
    """The figures as of now, in one read. StoreUnavailableError: the database does not answer."""
    now = now or datetime.now(UTC)
    with reading(engine) as connection:
        tenants = _tenants(connection)
        models, regions, fallback_prompts = _factors(connection)
        return Figures(
            totals=Sums.of(tenant.sums for tenant in tenants),
            tenants=tenants,
            models=models,
            regions=regions,
            budgets=tuple(_budget(connection, b, now) for b in budget_store.load_budgets(connection)),
            accounted=_accounted(connection),
            reasons=_reasons(connection),
            fallback_prompts=fallback_prompts,
            alert_ids=frozenset(connection.scalars(select(schema.alert.c.id))),
        )


def read_versions(engine: Engine) -> tuple[str, str]:
    """The method's and the factors' version that the store's first estimate rests on; the demo has but one of each."""
    factor = schema.factor_use.c
    query = select(factor.method_version, factor.factor_version).order_by(factor.factor_key).limit(1)
    with reading(engine) as connection:
        method_version, factor_version = connection.execute(query).one()
    return method_version, factor_version


def _sum_columns(table: Any) -> list[ColumnElement[Any]]:
    return [func.sum(table.c[name]).label(name) for name in MEASURES]


def _sums(row: Any) -> Sums:
    # PostgreSQL sums BIGINT as NUMERIC.
    return Sums(**{name: int(row[name]) for name in MEASURES})


def _tenants(connection: Connection) -> tuple[Named, ...]:
    table = schema.minute_total
    query = (
        select(schema.tenant.c.tenant_id, *_sum_columns(table))
        .join(schema.tenant, schema.tenant.c.tenant_key == table.c.tenant_key)
        .group_by(schema.tenant.c.tenant_id)
    )
    return _ordered(Named(row["tenant_id"], _sums(row)) for row in connection.execute(query).mappings())


def _factors(connection: Connection) -> tuple[tuple[Named, ...], tuple[Named, ...], int]:
    """Models, regions, and the prompts whose model or region is assumed."""
    table, factor = schema.slot_total, schema.factor_use
    names = (factor.c.model_resolved, factor.c.model_rung, factor.c.region_resolved, factor.c.region_rung)
    query = (
        select(*names, *_sum_columns(table)).join(factor, factor.c.factor_key == table.c.factor_key).group_by(*names)
    )
    rows = [(row, _sums(row)) for row in connection.execute(query).mappings()]
    models = _grouped((_model_name(row), sums) for row, sums in rows)
    regions = _grouped((str(row["region_resolved"]), sums) for row, sums in rows)
    assumed = sum(
        sums.prompts
        for row, sums in rows
        if row["model_rung"] not in KNOWN_MODEL_RUNGS
        or row["region_rung"].removesuffix("_converted") in ASSUMED_REGION_RUNGS
    )
    return models, regions, assumed


def _model_name(row: Any) -> str:
    """Models that no table knows are one line: how they were estimated says more than their many names."""
    return str(row["model_resolved"]) if row["model_rung"] in KNOWN_MODEL_RUNGS else "(unknown models)"


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


def _budget(connection: Connection, budget: Budget, now: datetime) -> BudgetFigure:
    consumed = consumed_in(connection, budget, period_at(budget, now))
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
        state=budget_store.load_state(connection, budget).state,
        estimate=budget.estimate,
    )


def _scope(budget: Budget) -> str:
    parts: Sequence[str | None] = (budget.team_id, budget.project_id, budget.user_id, budget.model)
    return ", ".join(part for part in parts if part)
