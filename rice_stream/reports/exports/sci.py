"""Software Carbon Intensity for AI of a month: (O + M) per R for the consumer's persona, in all and by model."""

from collections.abc import Iterable, Mapping
from typing import Any

from rice_stream import __version__
from rice_stream.instants import rfc3339
from rice_stream.reports.exports.columns import decimal_text
from rice_stream.reports.exports.exported import ExportedDocument, grounds_of
from rice_stream.reports.exports.orders import FUNCTIONAL_UNITS, ExportOrder
from rice_stream.reports.month_amounts import MonthQuestion, MonthRow, month_amounts
from rice_stream.reports.month_uses import versions_of_uses
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot

FORMAT = "rice-stream sci 1"
_DECIMALS = 12
_PER = {"token": 1, "1000-tokens": 1000, "prompt": 1}


def sci(engine: Engine, scope: Scope, order: ExportOrder) -> ExportedDocument:
    """The scores of a month. `m_prompts` says of how many prompts the method gives embodied carbon; of the others M is not known,
    and not in the score.
    """
    question = MonthQuestion(tenant=order.tenant, month=order.month, by=("model",), as_of_us=order.as_of_us)
    found = month_amounts(engine, scope, question)
    with snapshot(engine, scope) as connection:
        grounds = grounds_of(connection, scope, found)
    unit = order.options.functional_unit or FUNCTIONAL_UNITS[0]
    document = {
        "document": FORMAT,
        "standard": {
            "name": "SCI for AI",
            "publisher": "Green Software Foundation",
            "text": "SPEC.md of 12 January 2026",
            "base": "ISO/IEC 21031:2024, SCI = ((E x I) + M) per R",
        },
        "persona": "consumer",
        "boundary": "operation and monitoring: inference with servers, cooling and losses; no gateways, monitoring and caches",
        "provider_score": None,
        "tenant_id": order.tenant,
        "teams": sorted(scope.teams),
        "month": order.month,
        "window": found.stretch.window,
        "as_of": rfc3339(found.as_of_us),
        "functional_unit": unit,
        "carbon_accounting": "location",
        "total": _score([found.total], unit),
        "by_model": [{"model": row.names[0], **_score([row], unit)} for row in found.rows],
        "versions": versions_of_uses(list(grounds.uses)),
        "made_by": f"rice-stream {__version__}",
    }
    return ExportedDocument(document, len(found.rows), grounds)


def _score(rows: Iterable[MonthRow], unit: str) -> dict[str, Any]:
    sums: Mapping[str, int] = next(iter(rows)).sums
    units = sums["prompts"] if unit == "prompt" else sums["input_tokens"] + sums["output_tokens"]
    operational, embodied = sums["carbon_mid_ugco2e"], sums["embodied_ugco2e"]
    return {
        "e_kwh": decimal_text(sums["facility_energy_uwh"], 9),
        "i_gco2e_per_kwh": _ratio(operational * 1000, sums["facility_energy_uwh"], 0),
        "o_gco2e": decimal_text(operational, 6),
        "m_gco2e": decimal_text(embodied, 6) if sums["impact_prompts"] else None,
        "m_prompts": sums["impact_prompts"],
        "prompts": sums["prompts"],
        "r": _ratio(units, _PER[unit], 0),
        "sci_gco2e_per_r": _ratio((operational + embodied) * _PER[unit], units, 6),
    }


def _ratio(amount: int, by: int, decimals: int) -> str | None:
    """An amount with so many decimals by a whole number, to twelve decimals, half away from nothing; None: by nothing.

    >>> _ratio(2_500_000, 15, 6), _ratio(1, 0, 0)
    ('0.166666666667', None)
    """
    if by <= 0:
        return None
    scaled = abs(amount) * 10 ** (_DECIMALS - decimals)
    rounded = (2 * scaled + by) // (2 * by)
    return decimal_text(-rounded if amount < 0 else rounded, _DECIMALS)
