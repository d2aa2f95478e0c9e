"""Orders to restate, with the estimator that they are done by: the same for the command line and for servers."""

from typing import Any

from rice_stream.errors import UsageError
from rice_stream.ledger.giving_way import GiveWay, GivingWay
from rice_stream.ledger.restating import Restating
from rice_stream.ledger.truing_up import TruingUp
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.estimator_digest import estimator_digest
from rice_stream.meter.requests import TokenDefaults
from rice_stream.reports.windows import TimeBound, bounds_us
from rice_stream.runtime.intensity_scopes import check_restated_scope
from rice_stream.runtime.opening_estimator import token_defaults
from rice_stream.runtime.opening_factors import (
    keep_tables_of,
    open_estimator_of_latest_sets,
    open_estimator_of_version,
    open_estimator_with_sets,
)
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.audit import Actor
from rice_stream.store.engine import Engine
from rice_stream.store.restatement_store import RestatementOrder

_TRUE_UP = "true-up "
"""How the basis of an order begins that trues up."""


def beside_workers(settings: Settings, engine: Engine) -> GiveWay:
    """How what corrects many records gives way to workers, by the settings."""
    return GivingWay(engine, settings.restatement_share).rest


def is_true_up(order: RestatementOrder) -> bool:
    """Whether an order is to true up what rests on provisional intensities, and nothing else."""
    return order.basis.startswith(_TRUE_UP)


def run_of(restaters: "Restaters", engine: Engine, order: RestatementOrder, by: Actor, **more: Any) -> Restating:
    """What does an order; `more`: as `Restating` takes it."""
    make = TruingUp if is_true_up(order) else Restating
    return make(engine, restaters.estimator(order.method_name), restaters.defaults, order, by, **more)


def restaters_of(
    settings: Settings, engine: Engine, order: RestatementOrder, ordered_at_us: int | None = None
) -> "Restaters":
    """Those that an order was made with: by the tables of now, or by the version of them that it names. `ordered_at_us`: when;
    what is trued up, is by the sets that held then.

    UsageError: neither gives what it was made with.
    """
    wanted = order.basis.removeprefix(_TRUE_UP)
    now = Restaters(settings, engine, latest_at_us=ordered_at_us if is_true_up(order) else None)
    if now.basis(order.method_name, order.to_us) == wanted:
        return now
    named = Restaters(settings, engine, order.factor_version)
    try:
        is_same = named.basis(order.method_name, order.to_us) == wanted
    except UsageError:
        is_same = False  # nothing is kept of that version: it was never asked for
    if not is_same:
        raise UsageError("settings or factor sets have changed since it was ordered: order it again")
    return named


class Restaters:
    """Estimators that restate, by the settings and the factor sets that the database has now; each is opened once."""

    def __init__(
        self, settings: Settings, engine: Engine, factors: str | None = None, *, latest_at_us: int | None = None
    ) -> None:
        """`engine` sees everything; `factors` is a version of the tables, None: those of now, with the sets of each instant, or
        with those that hold at `latest_at_us` at every instant."""
        self._factors = factors
        self._latest_at_us = latest_at_us
        self._settings = settings
        self._engine = engine
        self._opened: dict[str | None, Estimator] = {}

    @property
    def defaults(self) -> TokenDefaults:
        """The counts that stand in for unknown ones."""
        return token_defaults(self._settings)

    def estimator(self, method_name: str | None) -> Estimator:
        """By a method; None: that of the settings."""
        if method_name not in self._opened:
            self._opened[method_name] = self._open(method_name)
        return self._opened[method_name]

    def _open(self, method_name: str | None) -> Estimator:
        if self._factors is None and self._latest_at_us is not None:
            return open_estimator_of_latest_sets(self._settings, self._engine, self._latest_at_us, method_name)
        if self._factors is None:
            return open_estimator_with_sets(self._settings, self._engine, method_name)
        return open_estimator_of_version(self._settings, self._engine, self._factors, method_name)

    def basis(self, method_name: str | None, to_us: int) -> str:
        """What records up to an instant would be estimated by, as a digest."""
        return estimator_digest(self.estimator(method_name), self.defaults, until_us=to_us)

    def order(
        self,
        start: TimeBound,
        end: TimeBound,
        *,
        tenant_id: str | None,
        method_name: str | None,
        reason: str,
        dry_run: bool,
        true_up: bool = False,
    ) -> RestatementOrder:
        """The order of a stretch of time, whose dates are days of UTC; the tables that it rests on are kept unless it is a dry run.
        `true_up`: of what rests on provisional intensities alone; that goes with `latest_at_us` or `factors`.

        UsageError: its start is not before its end, nothing is kept of the version of the tables, or totals would add up carbon by
        intensities of both scopes.
        """
        from_us, to_us = bounds_us(start, end, "UTC")
        check_restated_scope(self._settings, self._engine, from_us, to_us, tenant_id)
        # The tables of the end of the stretch: later sets do not hold for it.
        estimator = self.estimator(method_name)
        versions = estimator.at(to_us - 1).versions
        if not dry_run:
            keep_tables_of(self._engine, estimator.reference)
        return RestatementOrder(
            from_us,
            to_us,
            tenant_id,
            versions["method"],
            versions["factors"],
            reason,
            basis=(_TRUE_UP if true_up else "") + self.basis(method_name, to_us),
            method_name=method_name,
            dry_run=dry_run,
        )
