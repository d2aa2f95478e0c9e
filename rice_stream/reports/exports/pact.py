"""Product carbon footprints of a month in the data model of PACT 3: one for each model of a provider, per 1,000 prompts.

PACT has no unit for tokens or prompts, so a piece is a
prompt; every number is a decimal as text, in kgCO2e per declared unit.
"""

import uuid
from typing import Any

from rice_stream.instants import rfc3339
from rice_stream.reports.exports.boundaries import INCLUDED, NOT_INCLUDED
from rice_stream.reports.exports.columns import decimal_text
from rice_stream.reports.exports.exported import ExportedDocument, Grounds, grounds_of
from rice_stream.reports.exports.orders import ExportOrder
from rice_stream.reports.month_amounts import MonthAmounts, MonthQuestion, MonthRow, month_amounts
from rice_stream.reports.month_uses import versions_of_uses
from rice_stream.reports.tier_words import MEASURED, REPORTED
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot

SPEC_VERSION = "3.0.0"
DECLARED_PROMPTS = 1_000
_NAMESPACE = uuid.UUID("6f1d0a52-5a4b-5c55-9a3b-3c7b7c1f0e11")
_DOMAIN = "rice-stream.invalid"
"""In the place of a domain of the company's own."""
_DECIMALS = 12


def pact(engine: Engine, scope: Scope, order: ExportOrder) -> ExportedDocument:
    """`{"data": [ProductFootprint]}`, as ListFootprints answers. Only what prompts rest on: a model without prompts has none."""
    footprints, grounds = month_footprints(engine, scope, order)
    return ExportedDocument({"data": footprints}, len(footprints), grounds)


def month_footprints(engine: Engine, scope: Scope, order: ExportOrder) -> tuple[list[dict[str, Any]], Grounds]:
    """The footprints of a month, in the order of provider and model, and what they rest on."""
    question = MonthQuestion(
        tenant=order.tenant,
        month=order.month,
        by=("provider", "model"),
        amounts=order.options.amounts,
        as_of_us=order.as_of_us,
    )
    found = month_amounts(engine, scope, question)
    with snapshot(engine, scope) as connection:
        grounds = grounds_of(connection, scope, found)
    versions = [f"{one['method_version']}, {one['factor_version']}" for one in versions_of_uses(list(grounds.uses))]
    return [_footprint(order, found, row, versions) for row in found.rows if row.sums["prompts"] > 0], grounds


def company_id(domain: str, tenant: str) -> str:
    """The URN of a tenant as a company."""
    return f"urn:pact:{domain}:company-id:{_urn_part(tenant)}"


def _footprint(order: ExportOrder, found: MonthAmounts, row: MonthRow, versions: list[str]) -> dict[str, Any]:
    provider, model = (name or "unknown" for name in row.names)
    domain = order.options.company_domain or _DOMAIN
    product = f"urn:pact:{domain}:product-id:{_urn_part(provider)}.{_urn_part(model)}"
    known = "/".join((domain, order.tenant, order.month, provider, model))
    window = found.stretch.window
    return {
        "id": str(uuid.uuid5(_NAMESPACE, known)),
        "specVersion": SPEC_VERSION,
        "created": rfc3339(found.as_of_us),
        "status": "Active",
        "companyName": order.options.company_name or order.tenant,
        "companyIds": [company_id(domain, order.tenant)],
        "productDescription": f"Inference by {model} of {provider}, {DECLARED_PROMPTS} prompts as in {order.month}",
        "productIds": [product],
        "productNameCompany": f"{model} ({provider})",
        "comment": f"Estimated, 80 % range {_per(row.low_ugco2e, row)} to {_per(row.high_ugco2e, row)} kgCO2e",
        "pcf": {
            "declaredUnitOfMeasurement": "piece",
            "declaredUnitAmount": str(DECLARED_PROMPTS),
            "productMassPerDeclaredUnit": "0",
            "referencePeriodStart": window["from"],
            "referencePeriodEnd": window["to"],
            **dict.fromkeys(
                ("pcfExcludingBiogenicUptake", "pcfIncludingBiogenicUptake", "fossilGhgEmissions"),
                _per(row.sums["carbon_mid_ugco2e"], row),
            ),
            "fossilCarbonContent": "0",
            "biogenicCarbonContent": "0",
            "ipccCharacterizationFactors": ["AR6"],
            "crossSectoralStandards": ["GHGP-Product"],
            "boundaryProcessesDescription": f"In: {'; '.join(INCLUDED)}. Not in: {'; '.join(NOT_INCLUDED)}.",
            "exemptedEmissionsPercent": "0",
            "primaryDataShare": _percent(row),
            "secondaryEmissionFactorSources": [{"name": "rice-stream", "version": one} for one in versions],
        },
    }


def _per(ugco2e: int, row: MonthRow) -> str:
    """Kilograms for the declared unit, to twelve decimals."""
    prompts = row.sums["prompts"]
    scaled = abs(ugco2e) * DECLARED_PROMPTS * 10 ** (_DECIMALS - 9)
    rounded = (2 * scaled + prompts) // (2 * prompts)
    return decimal_text(-rounded if ugco2e < 0 else rounded, _DECIMALS)


def _percent(row: MonthRow) -> str:
    """The share of the carbon that rests on metered energy or on factors that were stated for the very prompt."""
    share = sum(row.data_tiers.get(tier) or 0 for tier in (MEASURED, REPORTED))
    return f"{min(100 * share, 100):.2f}"


def _urn_part(name: str) -> str:
    """Letters, digits and a few signs as they are; all others as their UTF-8 bytes in hexadecimal, as URNs have them."""
    return "".join(
        sign if sign.isascii() and (sign.isalnum() or sign in "-._~") else "".join(f"%{b:02X}" for b in sign.encode())
        for sign in name
    )
