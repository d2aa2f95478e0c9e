"""Our carbon of a tenant's month against what a cloud states, as a figure or in a file: by cause, and what nothing explains.

Tokens have to agree; carbon is worked out by two methods. So what lies within our own 80 % range is the method's cause, and only
what lies beyond it is unexplained.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rice_stream.canonical_json import canonical_json
from rice_stream.channels.months import Month
from rice_stream.errors import UsageError
from rice_stream.instants import datetime_of, epoch_us, rfc3339
from rice_stream.quantities import MICRO
from rice_stream.reports.carbon_exports.reading import FileCarbon, read_carbon
from rice_stream.reports.carbon_exports.rows import STATED_MAX_UG
from rice_stream.reports.month_stretch import MonthStretch, month_stretch
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.reconciliation import ReconciliationOrder, judged, names_of
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import AmountsAs, TotalsQuery
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot

STATED_MAX_GCO2E = STATED_MAX_UG / MICRO
CARBON_CAUSES: Mapping[str, str] = {
    "calendar": "the file's month is one of UTC, and the tenant's is another stretch of time",
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


class StatedFile(NamedTuple):
    """The file that a stated figure is from: `low_us <= t < high_us`, how many rows make it and how many are left out, and why."""

    low_us: int
    high_us: int
    rows: int
    skipped: int
    skipped_why: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """As it is told."""
        reach = {"from": rfc3339(self.low_us), "to": rfc3339(self.high_us)}
        return {**reach, "rows": self.rows, "skipped": self.skipped, "skipped_why": list(self.skipped_why)}


def stated_in_file(read: FileCarbon, *, market: bool, embodied: bool) -> tuple[StatedCarbon, StatedFile]:
    """What a file states, and what the file is; `embodied` is believed where the file does not say."""
    of_file = embodied if read.embodied is None else read.embodied
    month = Month.of(read.month, "UTC")
    file = StatedFile(epoch_us(month.start), epoch_us(month.end), read.rows, read.skipped, read.skipped_why)
    return StatedCarbon(read.ugco2e / MICRO, market, of_file), file


class _Range(NamedTuple):
    """Micrograms by location."""

    low: int
    mid: int
    high: int


class _Ours(NamedTuple):
    """Micrograms of the tenant's month, of the file's, and beside the latter."""

    of_month: _Range
    of_file: _Range
    reported: int
    market: int
    embodied: int | None


def reconcile_carbon(
    engine: Engine, scope: Scope, order: ReconciliationOrder, stated: StatedCarbon, file: StatedFile | None = None
) -> dict[str, Any]:
    """The comparison; of a figure from a file with ours of the file's month.

    Returns:
        As `reconciliation.reconcile`, with `measure` "carbon", no tokens or models, no file where a figure is compared, `carbon`
        `{"ours_gco2e" with its range, "theirs_gco2e", "difference_gco2e", "basis", "embodied"}`, and causes of `carbon_gco2e`;
        `unexplained` is in gCO2e.

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
    found = _told(_ours(engine, scope, stretch, names, file), stated, order.threshold_percent)
    asked = {"tenant_id": order.tenant, "month": order.month, "provider": order.provider, "measure": "carbon"}
    compared = None if file is None else file.as_json()
    return {**asked, "window": stretch.window, "file": compared, "tokens": None, **found}


def reconcile_carbon_file(
    engine: Engine,
    scope: Scope,
    order: ReconciliationOrder,
    text: str,
    *,
    market: bool,
    embodied: bool,
    services: Sequence[str] = (),
) -> dict[str, Any]:
    """The comparison with what a cloud's file states. UsageError: as from `read_carbon` too."""
    read = read_carbon(text, order.provider, order.month, market=market, services=services)
    return reconcile_carbon(engine, scope, order, *stated_in_file(read, market=market, embodied=embodied))


def _ours(
    engine: Engine, scope: Scope, stretch: MonthStretch, names: tuple[str, ...], file: StatedFile | None
) -> _Ours:
    of_month = stretch.low_us, stretch.high_us
    of_file = of_month if file is None else (file.low_us, file.high_us)

    def total(between: tuple[int, int], amounts: AmountsAs = "restated") -> Mapping[str, Any]:
        start, end = map(datetime_of, between)
        where = NameFilter.of({"provider": names})
        query = TotalsQuery(tenant=stretch.tenant_id, start=start, end=end, where=where, amounts=amounts)
        found: Mapping[str, Any] = totals(engine, scope, query, end)["total"]
        return found

    now, reported = total(of_file), total(of_file, "reported")
    in_month = now if of_month == of_file else total(of_month)
    embodied = now["embodied_gco2e"]["mid"]
    return _Ours(
        _range(in_month),
        _range(now),
        _micro(reported["carbon_gco2e"]["mid"]),
        _micro(now["carbon_market_gco2e"]),
        None if embodied is None else _micro(embodied),
    )


def _told(ours: _Ours, stated: StatedCarbon, threshold_percent: float) -> dict[str, Any]:
    """Both sides, the difference by cause, and what is left, in whole micrograms. Pure."""
    theirs = _micro(stated.carbon_gco2e)
    low, mid, high = ours.of_file
    causes = {
        "calendar": mid - ours.of_month.mid,
        "corrections": ours.reported - mid,
        "market": ours.market - mid if stated.market else 0,
        "boundary": (ours.embodied or 0) if stated.embodied else 0,
    }
    rest = theirs - ours.of_month.mid - sum(causes.values())
    # Shifted by the causes before, the range is as wide as it was.
    causes["method"] = max(low - mid, min(rest, high - mid))
    unexplained = rest - causes["method"]
    whys = dict(CARBON_CAUSES)
    if stated.embodied and ours.embodied is None:
        whys["boundary"] = "not known: no method gives the embodied carbon of these prompts"
    return {
        "carbon": {
            "ours_gco2e": ours.of_month.mid / MICRO,
            "ours_low_gco2e": ours.of_month.low / MICRO,
            "ours_high_gco2e": ours.of_month.high / MICRO,
            "theirs_gco2e": theirs / MICRO,
            "difference_gco2e": (theirs - ours.of_month.mid) / MICRO,
            "basis": "market" if stated.market else "location",
            "embodied": stated.embodied,
        },
        "causes": [
            {"cause": cause, "carbon_gco2e": amount / MICRO, "why": whys[cause]} for cause, amount in causes.items()
        ],
        "unexplained": unexplained / MICRO,
        **judged(unexplained, theirs, threshold_percent),
    }


def _range(total: Mapping[str, Any]) -> _Range:
    return _Range(*(_micro(total["carbon_gco2e"][part]) for part in _Range._fields))


def _micro(grams: float) -> int:
    return round(grams * MICRO)
