"""`rice-stream explain`: the arithmetic of one record, from names to micrograms, each step with its source.

Everything comes from what is stored with the record, not from today's tables: the last steps are the stored integers.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Engine

from rice_stream.estimator.method import Method, Step
from rice_stream.estimator.registry import load_method, method_of_version
from rice_stream.meter.amounts import GRAMS_PER_KWH_TO_PER_WH
from rice_stream.meter.recompute import Recomputed, StoredKind, recompute_kinds
from rice_stream.meter.requests import RecordedCounts, TokenDefaults, requests_of
from rice_stream.quantities import AMOUNT_COLUMNS, MARKET_COLUMN, MICRO, UNKNOWN
from rice_stream.reports.market_steps import market_steps, market_ugco2e
from rice_stream.reports.measured_steps import measured_steps
from rice_stream.reports.record_lookup import StoredRecord, find_record_once
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot

_ACCOUNTING = "docs/accounting.md; rounded once, when the record is made"
_IMPACTS = "docs/methodology.md; not part of operational carbon"
_RANGES = "docs/methodology.md, Ranges"
_UNITS = {"uwh": "uWh", "ugco2e": "ugCO2e"}


def explain(
    engine: Engine,
    scope: Scope,
    event_id: str,
    tenant: str | None = None,
    *,
    defaults: TokenDefaults,
    ended_at: datetime | None = None,
    open_method: Callable[[str], Method] = load_method,
) -> dict[str, Any]:
    """The record of an event and how its amounts came about.

    `agrees` says whether the repeated arithmetic gives the stored integers; it is None where it cannot be repeated
    (another version of the method is installed) or rests on a setting of that time (a default for unknown tokens),
    and `remarks` says so.

    Raises:
        NotFoundError: no record of the scope has this id.
        UsageError: several have.
    """
    with snapshot(engine, scope, keeps_join_order=True) as connection:
        record = find_record_once(connection, scope, event_id, tenant, ended_at)
    method = method_of_version(record.factor["method_version"], open_method)
    remarks: list[str] = []
    steps = [_as_step(step) for step in _method_steps(record, method, defaults)] if method else []
    steps = [*_factor_steps(record), *[step for step in steps if step["name"] not in _OWN_STEPS]]
    if method is None:
        remarks.append(
            f"this record was made by {record.factor['method_version']}, which is not installed: its amounts are shown as"
            " they are stored"
        )
        return {"record": record.view, "steps": [*steps, *_stored_steps(record)], "agrees": None, "remarks": remarks}
    again = _again(record, method, defaults)
    if record.kind.measured is not None:
        steps = _with_metered(record, record.kind.measured, steps, again, method, defaults)
    steps += [*_impact_steps(record, method, again, defaults), *_accounting_steps(record, again)]
    steps += market_steps(record.kind, again)
    computed = {name: int(getattr(again.amounts, name)[0]) for name in AMOUNT_COLUMNS}
    computed[MARKET_COLUMN] = market_ugco2e(again)
    agrees: bool | None = all(amount == record.view[name] for name, amount in computed.items())
    if not agrees and _counts(record).incomplete.any():
        agrees = None
        remarks.append("unknown tokens: the default of that time was another than today's, so the amounts differ")
    elif not agrees:
        differing = ", ".join(
            f"{name} is {record.view[name]}" for name, amount in computed.items() if amount != record.view[name]
        )
        remarks.append(
            f"the record does not hold what its own factors give: {differing}; it was changed after it was stored"
        )
    return {"record": record.view, "steps": steps, "agrees": agrees, "remarks": remarks}


def _counts(record: StoredRecord) -> RecordedCounts:
    def column(name: str) -> Any:
        value = record.view[name]
        return np.array([UNKNOWN if value is None else value], dtype=np.int64)

    return RecordedCounts(
        input_tokens=column("input_tokens"),
        cache_read_input_tokens=column("cache_read_input_tokens"),
        output_tokens=column("output_tokens"),
        flags=np.array([record.basis_flags], dtype=np.int32),
        metered_energy_uj=None if record.view["metered_energy_uj"] is None else column("metered_energy_uj"),
    )


def _again(record: StoredRecord, method: Method, defaults: TokenDefaults) -> Recomputed:
    return recompute_kinds(method, [record.kind], np.zeros(1, dtype=np.intp), _counts(record), defaults)


def _with_metered(
    record: StoredRecord,
    measured: Mapping[str, Any],
    steps: list[dict[str, Any]],
    again: Recomputed,
    method: Method,
    defaults: TokenDefaults,
) -> list[dict[str, Any]]:
    """The steps with the meter's in the place of the method's, whose energy is not used."""
    estimated = recompute_kinds(
        method,
        [record.kind],
        np.zeros(1, dtype=np.intp),
        replace(_counts(record), metered_energy_uj=None),
        defaults,
    ).estimates
    kept = [step for step in steps if step["name"] in _KEPT_STEPS]
    it_wh = float(again.estimates.it_energy_wh[0]), float(estimated.it_energy_wh[0])
    return [*kept, *measured_steps(record.view["metered_energy_uj"], measured, *it_wh)]


# --- steps -----------------------------------------------------------------------------------------------------------

_OWN_STEPS = frozenset({"model", "params_total_b", "params_active_b"})
"""Said here once, with the rung and the source that are stored; a method's own step of that name is left out."""


_KEPT_STEPS = _OWN_STEPS | {"hardware", "input_tokens", "cache_read_input_tokens", "output_tokens"}
"""What is said of a record whose energy was metered besides the meter's own steps."""


def _as_step(step: Step) -> dict[str, Any]:
    return _step(step.name, step.formula, step.value, step.unit, step.source)


def _step(name: str, formula: str, value: object, unit: str, source: str) -> dict[str, Any]:
    return {"name": name, "formula": formula, "value": value, "unit": unit, "source": source}


def _factor_steps(record: StoredRecord) -> list[dict[str, Any]]:
    """What the estimate rests on besides its tokens."""
    factor, context, sources = record.factor, record.kind.context, record.kind.sources
    mapped = f"; mapped to {sources['mapped_model']}" if "mapped_model" in sources else ""
    rung = f"{factor['model_rung']}: {sources['model']}{mapped}"
    steps = [_step("model", f"{factor['model']} resolves to", factor["model_resolved"], "", rung)]
    for name in ("params_total_b", "params_active_b"):
        size_b = getattr(context, name)
        steps.append(_step(name, f"{size_b.low:g} to {size_b.high:g}", size_b.mid, "1e9 parameters", rung))
    if "factor_sets" in sources:
        laid = "laid over the tables, in this order"
        steps.append(
            _step("factor_sets", laid, sources["factor_sets"], "", f"factor version {factor['factor_version']}")
        )
    if context.hardware_known:
        steps.append(_step("hardware", "given", context.hardware, "", str(sources["hardware"])))
    return steps


def _method_steps(record: StoredRecord, method: Method, defaults: TokenDefaults) -> list[Step]:
    """Tokens as they were put to the method, then the method's own arithmetic."""
    requests = requests_of(_counts(record), np.zeros(1, dtype=np.intp), defaults)
    steps = []
    used = {}
    for name in ("input_tokens", "cache_read_input_tokens", "output_tokens"):
        used[name] = int(getattr(requests, name)[0])
        reported = record.view[name]
        if name == "cache_read_input_tokens" and not used[name]:
            continue
        formula = "as reported" if reported is not None else "not reported: a default stands in"
        source = "the event" if reported is not None else f"RICE_DEFAULT_{name.upper()}; none for a failed call"
        steps.append(Step(name, formula, used[name], "tokens", source))
    return steps + method.explain(record.kind.context, requests)


def _accounting_steps(record: StoredRecord, again: Recomputed) -> list[dict[str, Any]]:
    """IT energy x PUE x carbon intensity, and the integers that are stored."""
    factor, estimates = record.factor, again.estimates
    sources, site = record.kind.sources, record.kind.site
    pue = factor["pue"]
    ends = {
        "low": (estimates.it_energy_wh_low, site.missing_tokens[0]),
        "mid": (estimates.it_energy_wh, 1.0),
        "high": (estimates.it_energy_wh_high, site.missing_tokens[1]),
    }
    metered = record.view["metered_energy_uj"] is not None
    missing = bool(_counts(record).incomplete[0])
    rci = {end: getattr(site.rci_gco2e_per_kwh, end) for end in ends}
    rci_source = f"{factor['region_rung']} ({factor['region_resolved']}, {factor['rci_scope']}): {_dated(sources)}"
    steps = [_step("pue", "facility energy / IT energy", pue, "", f"{factor['pue_rung']}: {sources['pue']}")]
    facility_wh = float(estimates.it_energy_wh[0]) * pue
    steps.append(_step("facility_energy_wh", f"it_energy_wh x {pue:g}", facility_wh, "Wh", "PUE is applied here only"))
    steps += [
        _step(f"rci_{end}_gco2e_per_kwh", factor["region"], factor[f"rci_{end}_gco2e_per_kwh"], "gCO2e/kWh", rci_source)
        for end in ends
    ]
    steps += _range_steps(record.kind)
    for end, (it_wh, widening) in ends.items():
        energy = "it_energy_wh" if end == "mid" or metered else f"it_energy_wh_{end}"
        widened = widening if missing else 1.0
        by = f" x {widened:g} (unknown tokens)" if widened != 1.0 else ""
        grams = float(it_wh[0]) * widened * (GRAMS_PER_KWH_TO_PER_WH * pue) * rci[end]
        formula = f"{energy}{by} x {pue:g} / 1000 x {rci[end]:g}"
        steps.append(_step(f"carbon_{end}_gco2e", formula, grams, "gCO2e", "docs/methodology.md"))
    return steps + [
        _step(
            name, f"round({_unrounded(name)} x {MICRO})", int(getattr(again.amounts, name)[0]), _unit(name), _ACCOUNTING
        )
        for name in AMOUNT_COLUMNS
    ]


def _range_steps(kind: StoredKind) -> list[dict[str, Any]]:
    """Why the range is as wide as it is: what is unknown, largest first; nothing of a method whose ends are bounds."""
    spread = kind.spread
    if spread is None:
        return []
    steps = [
        _step(f"log_sd_{name}", f"{share:.0%} of the variance of the logarithm", log_sd, "", _RANGES)
        for name, log_sd, share in spread.contributions()
    ]
    steps.append(_step("log_sd", "root of the sum of their squares", spread.log_sd, "", _RANGES))
    added = kind.site.rci_gco2e_per_kwh
    both = "carbon intensity, with what PUE and carbon intensity add to the energy's range"
    if kind.measured is not None:
        both = "carbon intensity, with the whole range"
    return [
        *steps,
        _step("rci_added_low_gco2e_per_kwh", both, added.low, "gCO2e/kWh", _RANGES),
        _step("rci_added_high_gco2e_per_kwh", both, added.high, "gCO2e/kWh", _RANGES),
    ]


def _impact_steps(
    record: StoredRecord, method: Method, again: Recomputed, defaults: TokenDefaults
) -> list[dict[str, Any]]:
    """Embodied carbon and water, beside operational carbon and no part of it; none where the method does not give them."""
    requests = requests_of(_counts(record), np.zeros(1, dtype=np.intp), defaults)
    matrix = method.coefficients([record.kind.context])
    given = method.impacts(matrix, requests, again.estimates, np.array([record.factor["pue"]], dtype=np.float64))
    if given is None:
        return []
    held_s = "seconds of devices x (device + share of server) / (lifetime x busy share)"
    litres = "it_energy_wh / 1000 x (on-site + pue x of the electricity)"
    return [
        _step(f"{name}_{end}_{unit}", formula, float(getattr(impact, end)[0]), label, _IMPACTS)
        for name, unit, label, formula, impact in (
            ("embodied", "gco2e", "gCO2e", held_s, given.embodied_gco2e),
            ("water", "l", "l", litres, given.water_l),
        )
        for end in ("low", "mid", "high")
    ]


def _stored_steps(record: StoredRecord) -> list[dict[str, Any]]:
    source = f"the record, made by {record.factor['method_version']}"
    return [_step(name, "as stored", record.view[name], _unit(name), source) for name in AMOUNT_COLUMNS]


def _dated(sources: Mapping[str, Any]) -> str:
    year = sources.get("rci_year")
    named = f"; the event's region is from {sources['region_source']}" if "region_source" in sources else ""
    mapped = f"; mapped to {sources['mapped_region']}" if "mapped_region" in sources else ""
    return f"{sources['rci']}, {year}{named}{mapped}" if year else f"{sources['rci']}{named}{mapped}"


def _unit(name: str) -> str:
    return _UNITS[name.rpartition("_")[2]]


def _unrounded(name: str) -> str:
    stem, _, unit = name.rpartition("_")
    return f"{stem}_{unit.removeprefix('u')}"
