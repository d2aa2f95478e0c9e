"""Answers about carbon by the market: what the electricity behind it is known by."""

from typing import Annotated, Literal

from pydantic import Field

from rice_stream.api.document.shapes import Answer


class MarketRow(Answer):
    """Facility energy of which the electricity is known by one instrument, matched over one stretch of time."""

    instrument: Literal["contract", "supplier", "residual_mix", "location"]
    granularity: Literal["hourly", "monthly", "annual"]
    facility_energy_kwh: float
    share_of_energy: Annotated[float | None, Field(description="share of all energy, from 0 to 1")]


class MarketCoverage(Answer):
    """What carbon by the market rests on; `location`: nothing is known of the market."""

    facility_energy_kwh: float
    rows: list[MarketRow]


class ContractTold(Answer):
    """The terms of a contract for electricity."""

    contract: str
    instrument: str
    granularity: Literal["hourly", "monthly", "annual"]
    kwh: Annotated[float, Field(description="kilowatt-hours")]
    rci_gco2e_per_kwh: float
    tenant: str | None
    provider: str | None
    region: str | None
    scope: str
    vintage: str | int | None
    valid_from: str
    valid_to: str
    source: str


class CoveredMonth(Answer):
    """What a contract covers of a month of a tenant."""

    month: str
    tenant_id: str
    covered_kwh: float


class Contract(ContractTold):
    """A contract in force, and what of it is covered."""

    months: list[CoveredMonth]


class CoveringContract(ContractTold):
    """A contract, and what it covers of the month that was asked about."""

    covered_kwh: float


class AppliedContracts(Answer):
    """What contracts cover of a month by now; the restatement with this id posts it."""

    tenant_id: str
    month: str
    dry_run: bool
    restatement_id: str | None
    contracts: list[CoveringContract]
