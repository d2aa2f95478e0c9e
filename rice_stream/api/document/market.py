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
