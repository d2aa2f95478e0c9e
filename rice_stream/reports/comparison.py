"""`rice-stream compare`: what recorded traffic would have emitted on another model, in another place or served otherwise.

Both sides are computed here, from the same records, with the same method: like is compared with like, also where the records
themselves were made with another method. What was recorded is given beside them. Uncertainties that both sides share cancel in
their ratio.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine

from rice_stream.errors import UsageError
from rice_stream.estimator.method import Method
from rice_stream.instants import SECOND_US, epoch_us
from rice_stream.meter.amounts import Amounts, roll_up
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.meter.ranking import overlap
from rice_stream.meter.recompute import estimate_recorded
from rice_stream.meter.requests import RecordedCounts, TokenDefaults
from rice_stream.meter.shared_ranges import Group, KindSums, SharedRange, ratio_range, shared_of, total_range
from rice_stream.meter.what_if import Change, ServedBy, as_recorded, changed, served_by
from rice_stream.quantities import AMOUNT_COLUMNS, MICRO, Ints, Range
from rice_stream.reports.carbon_ranges import carbon_fields
from rice_stream.reports.traffic_records import Traffic, traffic_records
from rice_stream.reports.windows import TimeBound, bound_text, bounds_us, check_window
from rice_stream.store.factor_spreads import ENDS, FactorSpread, factor_spreads
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot
from rice_stream.store.stored_records import factors_by_key
from rice_stream.store.views import WINDOWS_S

WINDOW_DEFAULT = "24h"
_TOKENS = ("input_tokens", "output_tokens")
_COUNTS = (*_TOKENS, "cache_read_input_tokens")
_COLUMNS = ("factor_key", "basis_flags", *_COUNTS, *AMOUNT_COLUMNS)


def traffic_of(
    now: datetime,
    *,
    tenant: str | None = None,
    model: str | None = None,
    window: str | None = None,
    start: TimeBound = None,
    end: TimeBound = None,
) -> Traffic:
    """The records of a window until now, or from `start` up to (not including) `end`; with neither, of the last day.

    Days are days of UTC: one stretch holds for all tenants.

    Raises:
        UsageError: an unknown window, a window beside bounds, or bounds that contradict each other.
    """
    check_window(window, start, end)
    if start is not None or end is not None:
        return Traffic(*bounds_us(start, end, "UTC"), tenant, model)
    if window is not None and window not in WINDOWS_S:
        raise UsageError(f"--window {window}: choose from {', '.join(WINDOWS_S)}")
    now_us = epoch_us(now)
    return Traffic(now_us - WINDOWS_S[window or WINDOW_DEFAULT] * SECOND_US, now_us + 1, tenant, model)


def compare(
    engine: Engine,
    scope: Scope,
    traffic: Traffic,
    change: Change,
    *,
    estimator: EstimatorAt,
    defaults: TokenDefaults,
    share: float = 1.0,
) -> dict[str, Any]:
    """Sums of both sides, in total and by model as recorded; the changed side by the estimator's tables and policy.

    Both sides are of all the traffic; what is saved is what moving `share` of it saves, prompts taken as they come.
    Raises UsageError where nothing changes, no record is there, records of the stretch have been dropped, or `share` is not
    above 0 and at most 1.
    """
    if not 0.0 < share <= 1.0:
        raise UsageError(f"--share {share:g}: must be above 0 and at most 1")
    method = estimator.method
    change.check(method)
    sides: dict[str, dict[str, _Sums]] = defaultdict(lambda: defaultdict(_Sums))
    factors: dict[int, Mapping[str, Any]] = {}
    with snapshot(engine, scope) as connection:
        for records in traffic_records(connection, scope, traffic, _COLUMNS):
            factors_by_key(connection, np.unique(records["factor_key"]).tolist(), factors)
            _add(connection, sides, records, factors, change, estimator, defaults)
    if not sides:
        raise UsageError("no records in this window: check --tenant, --only-model, --window, --from and --to")
    by_model = [{"model": model, **_sides(sums, share)} for model, sums in sides.items()]
    total: dict[str, _Sums] = defaultdict(_Sums)
    for sums in sides.values():
        for side, one in sums.items():
            total[side].add(one)
    return {
        "tenant": traffic.tenant,
        "window": {"from": bound_text(traffic.from_us), "to": bound_text(traffic.to_us)},
        "change": change.stated(),
        "share": share,
        "method": method.name,
        "versions": estimator.versions,
        "methods_recorded": sorted({str(factor["method_version"]) for factor in factors.values()}),
        "total": _sides(total, share),
        "by_model": sorted(by_model, key=lambda row: -row["as_served"]["carbon_gco2e"]["mid"]),
    }


class _Sums:
    """Exact sums of one side, and of each kind of requests in it what its range is made of."""

    def __init__(self) -> None:
        self.prompts = 0
        self.values: dict[str, int] = dict.fromkeys((*_TOKENS, *AMOUNT_COLUMNS), 0)
        self.kinds: dict[FactorSpread, list[int]] = {}

    def add(self, other: "_Sums") -> None:
        self.count(other.prompts, other.values)
        for spread, ends in other.kinds.items():
            self.of_kind(spread, ends)

    def count(self, prompts: int, values: Mapping[str, int]) -> None:
        self.prompts += prompts
        for name, value in values.items():
            self.values[name] += value

    def of_kind(self, spread: FactorSpread, ends: Sequence[int]) -> None:
        before = self.kinds.get(spread, [0] * len(ENDS))
        self.kinds[spread] = [one + other for one, other in zip(before, ends, strict=True)]

    @property
    def parts(self) -> list[KindSums]:
        return [KindSums(spread.shared, spread.method_version, *ends) for spread, ends in self.kinds.items()]

    @property
    def groups(self) -> list[Group]:
        """By what each kind's factors share. Unknown token counts are the same on both sides, and decide nothing between them."""
        return [(part.mid, part.shared or ()) for part in self.parts]

    @property
    def has_spreads(self) -> bool:
        return all(spread.shared is not None for spread in self.kinds)


def _add(
    connection: Connection,
    sides: dict[str, dict[str, _Sums]],
    records: Mapping[str, Ints],
    factors: Mapping[int, Mapping[str, Any]],
    change: Change,
    estimator: EstimatorAt,
    defaults: TokenDefaults,
) -> None:
    unique, use = np.unique(records["factor_key"], return_inverse=True)
    keys = unique.tolist()
    flags = records["basis_flags"].astype(np.int32)
    counts = RecordedCounts(**{name: records[name] for name in _COUNTS}, flags=flags)
    method = estimator.method
    own = served_by(method, [as_recorded(factors[key], estimator) for key in keys])
    other = served_by(method, [changed(factors[key], change, estimator) for key in keys])
    recorded = Amounts(*(records[name] for name in AMOUNT_COLUMNS))
    stored = factor_spreads(connection, keys)
    computed = {
        "recorded": (recorded, [stored[key] for key in keys]),
        "as_served": (_amounts(own, use, counts, method, defaults), _spreads(own)),
        "changed": (_amounts(other, use, counts, method, defaults), _spreads(other)),
    }
    tokens = [np.maximum(getattr(counts, name), 0) for name in _TOKENS]
    for side, (values, spreads) in computed.items():
        columns = [np.ones(len(use), dtype=np.int64), *tokens, *(getattr(values, name) for name in AMOUNT_COLUMNS)]
        by_use = roll_up([use.astype(np.int64)], np.stack(columns, axis=1))
        for place, (prompts, *measures) in zip(by_use.keys[:, 0].tolist(), by_use.sums.tolist(), strict=True):
            named = dict(zip((*_TOKENS, *AMOUNT_COLUMNS), measures, strict=True))
            sums = sides[str(factors[keys[place]]["model"])][side]
            sums.count(prompts, named)
            sums.of_kind(spreads[place], [prompts, *(named[name] for name in ENDS[1:])])


def _spreads(served: ServedBy) -> list[FactorSpread]:
    return [FactorSpread(None if spread is None else shared_of(spread.detail()), "") for spread in served.spreads]


def _amounts(served: ServedBy, use: Any, counts: RecordedCounts, method: Method, defaults: TokenDefaults) -> Amounts:
    return estimate_recorded(method, served.coefficients, served.sites, use, counts, defaults).amounts


def _sides(sums: Mapping[str, _Sums], share: float) -> dict[str, Any]:
    own, other = sums["as_served"], sums["changed"]
    before, after = total_range(own.parts), total_range(other.parts)
    ratio = ratio_range(own.groups, other.groups) if own.has_spreads and other.has_spreads else None
    overlapping = overlap(before[:3], after[:3]) if ratio is None else ratio.low <= 1.0 <= ratio.high
    return {
        "prompts": own.prompts,
        **{name: own.values[name] for name in _TOKENS},
        **{side: _side(one) for side, one in sums.items()},
        "ratio": after.mid / before.mid if before.mid else None,
        "ratio_range": None if ratio is None else {end: getattr(ratio, end) for end in ("low", "mid", "high")},
        "certain": not overlapping,
        **_saving(before, after, ratio, share),
    }


def _saving(before: SharedRange, after: SharedRange, ratio: Range | None, share: float) -> dict[str, Any]:
    """What moving a share saves, in grams and of the carbon of all that traffic; less than 0 where it emits more.

    What both sides share moves them together: the range is that of their ratio, at the middle of what the traffic emitted. A method
    that gives bounds knows no ratio; there one side's low end is set against the other's high end.
    """
    saved: dict[str, float] = {
        "low": before.low - after.high,
        "mid": before.mid - after.mid,
        "high": before.high - after.low,
    }
    if ratio is not None:
        saved |= {"low": before.mid * (1 - ratio.high), "high": before.mid * (1 - ratio.low)}
    return {
        "saving_gco2e": {end: share * amount / MICRO for end, amount in saved.items()},
        "saving_share": {end: share * amount / before.mid for end, amount in saved.items()} if before.mid else None,
    }


def _side(sums: _Sums) -> dict[str, Any]:
    values = sums.values
    return {
        "it_energy_wh": values["it_energy_uwh"] / MICRO,
        "facility_energy_wh": values["facility_energy_uwh"] / MICRO,
        **carbon_fields(total_range(sums.parts), values["carbon_low_ugco2e"], values["carbon_high_ugco2e"]),
    }
