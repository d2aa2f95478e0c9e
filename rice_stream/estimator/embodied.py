"""Embodied carbon and water of requests: lines of their own, never part of operational carbon.

    embodied gCO2e = device-seconds x (device + its share of the server) / lifetime / utilisation
    water litres   = it_energy x on-site WUE + facility_energy x water of the electricity

Device-seconds are a request's share of the devices' time (devices x seconds / batch). Every factor is a range with its
source in regressors/embodied.csv; low and high combine the ends, so the range is wide, as the sources disagree.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rice_stream.errors import ReferenceDataError
from rice_stream.estimator.method import Impact
from rice_stream.quantities import Range

if TYPE_CHECKING:
    # Reports ask for the rates, and need not wait for numpy.
    from rice_stream.quantities import Floats

FACTOR_FILE = "embodied.csv"
COLUMNS = ("factor", "hardware", "low", "mid", "high", "unit", "source")
SECONDS_PER_YEAR = 365.25 * 24 * 3600
ANY = "*"


@dataclass(frozen=True, slots=True)
class EmbodiedFactors:
    """Factors as low, mid and high. Carbon in kgCO2e, lifetime in years, water in litres per kWh."""

    device_kgco2e: Mapping[str, Range]
    """By hardware name; `*` stands for hardware that is not listed."""
    server_share_kgco2e: Range
    """Everything of a server but its accelerators, per accelerator."""
    lifetime_years: Range
    busy_share: Range
    """Share of its life that a device works: idle life is carried by the requests."""
    onsite_wue_l_per_kwh: Range
    """Water evaporated by cooling per kWh of IT energy."""
    grid_water_l_per_kwh: Range
    """Water consumed in generating a kWh of electricity."""


def embodied_gco2e_per_device_second(hardware: str, factors: EmbodiedFactors) -> Range:
    """The rate of one device with its share of the server: little carbon over a long busy life, to much over a short idle one."""
    device = factors.device_kgco2e.get(hardware, factors.device_kgco2e[ANY])
    server, life, busy = factors.server_share_kgco2e, factors.lifetime_years, factors.busy_share
    return Range(
        (device.low + server.low) * 1e3 / (life.high * SECONDS_PER_YEAR * busy.high),
        (device.mid + server.mid) * 1e3 / (life.mid * SECONDS_PER_YEAR * busy.mid),
        (device.high + server.high) * 1e3 / (life.low * SECONDS_PER_YEAR * busy.low),
    )


def embodied_ends(hardware: str, factors: EmbodiedFactors) -> tuple[float, float]:
    """Low and high ends of embodied carbon as multiples of its middle, for given device-seconds."""
    rate = embodied_gco2e_per_device_second(hardware, factors)
    return rate.low / rate.mid, rate.high / rate.mid


def water_l(it_energy_wh: Impact, pue: Floats, factors: EmbodiedFactors) -> Impact:
    """Water of n requests in litres: cooling on site by IT energy, electricity by facility energy (IT x PUE)."""
    site, grid = factors.onsite_wue_l_per_kwh, factors.grid_water_l_per_kwh
    return Impact(
        it_energy_wh.low / 1e3 * (site.low + pue * grid.low),
        it_energy_wh.mid / 1e3 * (site.mid + pue * grid.mid),
        it_energy_wh.high / 1e3 * (site.high + pue * grid.high),
    )


def parse_embodied(text: str) -> EmbodiedFactors:
    """Factors from CSV text with the columns of COLUMNS. Raises ReferenceDataError naming row and column."""
    reader = csv.DictReader(io.StringIO(text))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ReferenceDataError(f"{FACTOR_FILE}: the columns must be {', '.join(COLUMNS)}")
    table: dict[tuple[str, str], Range] = {}
    for number, row in enumerate(reader, start=2):
        if not row["source"]:
            raise ReferenceDataError(f"{FACTOR_FILE}, row {number}, column source: every factor needs a source")
        try:
            table[row["factor"], row["hardware"]] = Range(float(row["low"]), float(row["mid"]), float(row["high"]))
        except ValueError as wrong:
            raise ReferenceDataError(f"{FACTOR_FILE}, row {number}, columns low, mid, high: {wrong}") from None
    try:
        return EmbodiedFactors(
            device_kgco2e={name: value for (factor, name), value in table.items() if factor == "device_kgco2e"},
            server_share_kgco2e=table["server_share_kgco2e", ANY],
            lifetime_years=table["lifetime_years", ANY],
            busy_share=table["busy_share", ANY],
            onsite_wue_l_per_kwh=table["onsite_wue_l_per_kwh", ANY],
            grid_water_l_per_kwh=table["grid_water_l_per_kwh", ANY],
        )
    except KeyError as missing:
        raise ReferenceDataError(f"{FACTOR_FILE}: the row {missing} is missing") from None
