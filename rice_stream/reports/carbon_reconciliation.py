"""Our carbon of a tenant's month against the figure that a cloud states: the difference by cause, and what nothing explains.

Tokens have to agree; carbon is worked out by two methods. So what lies within our own 80 % range is the method's cause, and only
what lies beyond it is unexplained.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from rice_stream.canonical_json import canonical_json
from rice_stream.errors import UsageError
from rice_stream.instants import datetime_of
from rice_stream.quantities import MICRO
from rice_stream.reports.month_stretch import MonthStretch, month_stretch
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.reconciliation import ReconciliationOrder, names_of
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import AmountsAs, TotalsQuery
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot

STATED_MAX_GCO2E = 1e9
"""A thousand tonnes: more is a figure in another unit."""
CARBON_CAUSES: Mapping[str, str] = {
    "corrections": "prompts that were voided or corrected here; the provider counted them as they were",
    "market": "theirs is by contracts and residual mix; ours is by location",
    "boundary": "theirs has the embodied carbon of the hardware in it; ours stands beside the carbon",
    "method": "what lies within the 80 % range of ours: another method, other factors",
}
"""In the order in which an answer tells them; amounts are what each adds to ours on the way to theirs."""


class StatedCarbon(NamedTuple):
    """What a cloud states of a month; `market`: by contracts, and otherwise by location; `embodied`: of the hardware too."""

    carbon_gco2e: float
    market: bool = False
    embodied: bool = False

    @property
    def sha256(self) -> str:
        """In the place of a file's."""
        return hashlib.sha256(canonical_json(self._asdict())).hexdigest()


class _Ours(NamedTuple):
    """Micrograms by location, with the range, and beside them."""

    low: int
    mid: int
    high: int
    reported: int
    market: int
    embodied: int | None


def reconcile_carbon(engine: Engine, scope: Scope, order: ReconciliationOrder, stated: StatedCarbon) -> dict[str, Any]:
    """The comparison.

    Returns:
        As `reconciliation.reconcile`, with `measure` "carbon", no file, tokens or models, `carbon` `{"ours_gco2e" with its range,
        "theirs_gco2e", "difference_gco2e", "basis", "embodied"}`, and causes of `carbon_gco2e`; `unexplained` is in gCO2e.

    Raises:
        UsageError: as from `reconcile`, or no such figure. NotFoundError: no such tenant in the scope.
    """
    if not 0 <= stated.carbon_gco2e <= STATED_MAX_GCO2E:
        raise UsageError(
            f"carbon_gco2e: {stated.carbon_gco2e:g} is not from 0 to {STATED_MAX_GCO2E:g} g; mind the unit"
        )
    names = names_of(order)
    with snapshot(engine, scope) as connection:
        stretch = month_stretch(connection, scope, order.tenant, order.month)
    found = _told(_ours(engine, scope, stretch, names), stated, order.threshold_percent)
    asked = {"tenant_id": order.tenant, "month": order.month, "provider": order.provider, "measure": "carbon"}
    return {**asked, "window": stretch.window, "tokens": None, **found}


def _ours(engine: Engine, scope: Scope, stretch: MonthStretch, names: tuple[str, ...]) -> _Ours:
    start, end = datetime_of(stretch.low_us), datetime_of(stretch.high_us)

    def total(amounts: AmountsAs) -> Mapping[str, Any]:
        where = NameFilter.of({"provider": names})
        query = TotalsQuery(tenant=stretch.tenant_id, start=start, end=end, where=where, amounts=amounts)
        found: Mapping[str, Any] = totals(engine, scope, query, end)["total"]
        return found

    now, reported = total("restated"), total("reported")
    low, mid, high = (_micro(now["carbon_gco2e"][part]) for part in ("low", "mid", "high"))
    embodied = now["embodied_gco2e"]["mid"]
    return _Ours(
        low,
        mid,
        high,
        _micro(reported["carbon_gco2e"]["mid"]),
        _micro(now["carbon_market_gco2e"]),
        None if embodied is None else _micro(embodied),
    )


def _told(ours: _Ours, stated: StatedCarbon, threshold_percent: float) -> dict[str, Any]:
    """Both sides, the difference by cause, and what is left, in whole micrograms. Pure."""
    theirs = _micro(stated.carbon_gco2e)
    causes = {
        "corrections": ours.reported - ours.mid,
        "market": ours.market - ours.mid if stated.market else 0,
        "boundary": (ours.embodied or 0) if stated.embodied else 0,
    }
    rest = theirs - ours.mid - sum(causes.values())
    # Shifted by the causes before, the range is as wide as it was.
    causes["method"] = max(ours.low - ours.mid, min(rest, ours.high - ours.mid))
    unexplained = rest - causes["method"]
    whys = dict(CARBON_CAUSES)
    if stated.embodied and ours.embodied is None:
        whys["boundary"] = "not known: no method gives the embodied carbon of these prompts"
    percent = 100 * abs(unexplained) / theirs if theirs else None
    return {
        "file": None,
        "carbon": {
            "ours_gco2e": ours.mid / MICRO,
            "ours_low_gco2e": ours.low / MICRO,
            "ours_high_gco2e": ours.high / MICRO,
            "theirs_gco2e": theirs / MICRO,
            "difference_gco2e": (theirs - ours.mid) / MICRO,
            "basis": "market" if stated.market else "location",
            "embodied": stated.embodied,
        },
        "causes": [
            {"cause": cause, "carbon_gco2e": amount / MICRO, "why": whys[cause]} for cause, amount in causes.items()
        ],
        "unexplained": unexplained / MICRO,
        "unexplained_percent": percent,
        "threshold_percent": threshold_percent,
        "ok": percent is not None and percent < threshold_percent,
    }


def _micro(grams: float) -> int:
    return round(grams * MICRO)
