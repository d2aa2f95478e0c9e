"""The pack for who reports a month under the GHG Protocol: boundary, method, factors, data types, coverage, exclusions, bridge.

As JSON, and as a PDF with that JSON inside. Prompts of providers that are named as one's own are Scope 2, all others Scope 3,
category 1: never both for the same prompt.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rice_stream import __version__
from rice_stream.errors import UsageError
from rice_stream.instants import datetime_of, rfc3339
from rice_stream.reports.bridge import bridge
from rice_stream.reports.exclusions import EXCLUDED_SHARE_MAX
from rice_stream.reports.exports.boundaries import (
    COVERED_SHARE_MIN,
    INCLUDED,
    NOT_INCLUDED,
    OWN,
    PARTS,
    PURCHASED,
    data_types,
)
from rice_stream.reports.exports.columns import decimal_text
from rice_stream.reports.exports.exported import ExportedDocument, grounds_of
from rice_stream.reports.exports.orders import ExportOrder
from rice_stream.reports.materiality import THRESHOLD_PERCENT
from rice_stream.reports.month_amounts import MonthAmounts, MonthQuestion, MonthRow, month_amounts
from rice_stream.reports.month_uses import UsedFactors, versions_of_uses
from rice_stream.reports.tier_words import KNOWN_TIERS
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot

FORMAT = "rice-stream scope-pack 1"
_LISTED = ("model_resolved", "region_resolved", "hardware", "pue", "rci_mid_gco2e_per_kwh", "rci_scope")
"""What tells rows of the factor list apart, beside method and version of the tables."""


def scope_pack(engine: Engine, scope: Scope, order: ExportOrder) -> ExportedDocument:
    """The pack of a month.

    UsageError: who asks sees some teams only; what a pack says of corrections and coverage is the whole tenant's.
    """
    if scope.teams:
        raise UsageError("scope-pack is of whole tenants: this needs a token for all teams")
    question = MonthQuestion(tenant=order.tenant, month=order.month, by=("provider",), as_of_us=order.as_of_us)
    found = month_amounts(engine, scope, question)
    with snapshot(engine, scope) as connection:
        grounds = grounds_of(connection, scope, found)
    steps = _bridge(engine, scope, order, found)
    stretch = found.stretch
    document = {
        "document": FORMAT,
        "tenant_id": order.tenant,
        "month": order.month,
        "window": stretch.window,
        "as_of": rfc3339(found.as_of_us),
        "period": stretch.told,
        "boundary": {
            "approach": "operational control; inference only",
            "included": list(INCLUDED),
            "not_included": list(NOT_INCLUDED),
            "own_providers": sorted(order.options.own_providers),
        },
        "functional_unit": "prompt",
        "total": _amounts(found.total),
        "parts": _parts(found, order.options.own_providers),
        "data_types": data_types(found.total.data_tiers),
        "data_tiers": dict(found.total.data_tiers),
        "coverage": _coverage(found.total.data_tiers),
        "exclusions": _exclusions(steps, found.total),
        "bridge": steps,
        "method": {
            "range": "80 % range of the sum by uncertainties that prompts share; linear is every range added up",
            "versions": versions_of_uses(list(grounds.uses)),
        },
        "factors": _factors(grounds.uses),
        "made_by": f"rice-stream {__version__}",
    }
    return ExportedDocument(document, 1, grounds, "scope_pack.typ")


def _amounts(row: MonthRow) -> dict[str, Any]:
    """As decimals with all their digits."""
    sums = row.sums
    embodied, water = row.impact("embodied_ugco2e"), row.impact("water_ul")
    return {
        "prompts": sums["prompts"],
        "input_tokens": str(sums["input_tokens"]),
        "output_tokens": str(sums["output_tokens"]),
        "it_energy_kwh": decimal_text(sums["it_energy_uwh"], 9),
        "facility_energy_kwh": decimal_text(sums["facility_energy_uwh"], 9),
        "carbon_location_gco2e": {
            "low": decimal_text(row.low_ugco2e, 6),
            "mid": decimal_text(sums["carbon_mid_ugco2e"], 6),
            "high": decimal_text(row.high_ugco2e, 6),
        },
        "carbon_location_linear_gco2e": {
            "low": decimal_text(sums["carbon_low_ugco2e"], 6),
            "high": decimal_text(sums["carbon_high_ugco2e"], 6),
        },
        "carbon_market_gco2e": decimal_text(sums["carbon_market_ugco2e"], 6),
        "embodied_gco2e": None if embodied is None else decimal_text(embodied, 6),
        "water_l": None if water is None else decimal_text(water, 6),
    }


def _parts(found: MonthAmounts, own: Sequence[str]) -> list[dict[str, Any]]:
    """What is purchased and what is one's own; they add up to the total. Ranges of parts do not add up, and so are not told."""
    told = []
    for name, words in PARTS.items():
        rows = [row for row in found.rows if (row.names[0] in own) == (name == OWN)]
        sums = {measure: sum(row.sums[measure] for row in rows) for measure in found.total.sums}
        told.append(
            {
                "part": name,
                **words,
                "providers": sorted({row.names[0] or "unknown" for row in rows}),
                "prompts": sums["prompts"],
                "facility_energy_kwh": decimal_text(sums["facility_energy_uwh"], 9),
                "carbon_location_gco2e": decimal_text(sums["carbon_mid_ugco2e"], 6),
                "carbon_market_gco2e": decimal_text(sums["carbon_market_ugco2e"], 6),
                "embodied_gco2e": decimal_text(sums["embodied_ugco2e"], 6) if sums["impact_prompts"] else None,
            }
        )
    if [part["part"] for part in told] != [PURCHASED, OWN]:
        raise AssertionError("parts in another order")
    return told


def _coverage(tiers: Mapping[str, float | None]) -> dict[str, Any]:
    """The share of carbon whose model, place and tenant are known, against the share that has to be."""
    known = [share for tier in KNOWN_TIERS if (share := tiers.get(tier)) is not None]
    covered = sum(known) if known else None
    return {
        "covered_share": covered,
        "covered_share_min": COVERED_SHARE_MIN,
        "reached": None if covered is None else covered >= COVERED_SHARE_MIN,
    }


def _exclusions(steps: Mapping[str, Any], total: MonthRow) -> dict[str, Any]:
    """What was taken out, quantified. Whose a refused item is nobody knows: `coverage` tells of those, for all tenants together."""
    voided = next(step for step in steps["steps"] if step["cause"] == "void")
    excluded = -int(voided["carbon_ugco2e"])
    whole = excluded + total.sums["carbon_mid_ugco2e"]
    return {
        "voided": {"prompts": -voided["prompts"], "carbon_gco2e": decimal_text(excluded, 6)},
        "share_of_carbon": excluded / whole if whole else None,
        "share_max": EXCLUDED_SHARE_MAX,
        "not_in_here": "items that were refused: whose they are is not known; `rice-stream coverage` has them for all tenants",
    }


def _bridge(engine: Engine, scope: Scope, order: ExportOrder, found: MonthAmounts) -> dict[str, Any]:
    stretch = found.stretch
    as_of: datetime | None = None if order.as_of_us is None else datetime_of(order.as_of_us)
    query = TotalsQuery(
        tenant=order.tenant, start=datetime_of(stretch.low_us), end=datetime_of(stretch.high_us), as_of=as_of
    )
    asked = order.options.threshold_percent
    threshold = THRESHOLD_PERCENT if asked is None else asked
    told = bridge(engine, scope, query, datetime_of(stretch.high_us), threshold_percent=threshold)

    def amounts(step: Mapping[str, Any]) -> dict[str, Any]:
        ugco2e = int(step["carbon_ugco2e"])
        return {"prompts": step["prompts"], "carbon_ugco2e": str(ugco2e), "carbon_gco2e": decimal_text(ugco2e, 6)}

    return {
        "reported": amounts(told["reported"]),
        "steps": [{"cause": step["cause"], **amounts(step)} for step in told["steps"]],
        "restated": amounts(told["restated"]),
        **{
            name: told[name]
            for name in ("materiality_percent", "materiality_market_percent", "threshold_percent", "material")
        },
    }


def _factors(uses: Iterable[UsedFactors]) -> list[dict[str, Any]]:
    """Each combination that prompts rest on, most carbon first, with how many."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    names = (*_LISTED, "method_version", "factor_version")
    for use in uses:
        both = sums.setdefault(tuple(use.said[name] for name in names), [0, 0])
        both[0] += use.prompts
        both[1] += use.carbon_mid_ugco2e
    return [
        {**dict(zip(names, key, strict=True)), "prompts": prompts, "carbon_gco2e": decimal_text(carbon, 6)}
        for key, (prompts, carbon) in sorted(sums.items(), key=lambda item: (-item[1][1], repr(item[0])))
    ]
