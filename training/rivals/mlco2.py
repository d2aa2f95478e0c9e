"""MLCO2 Impact: hours of the device x its TDP x carbon intensity.

Lacoste et al., "Quantifying the Carbon Emissions of Machine Learning", arXiv 1910.09700; calculator mlco2/impact (MIT),
js/grayscale.js: energy = watt x hours / 1000, times kg CO2eq per kWh. Its data/gpus.csv (commit 025b9884) ends with the A100.
"""

from collections.abc import Sequence

from rice_stream.quantities import Floats
from training.calibrated.compare import tdp_time_j
from training.calibrated.rows import Row


def energy_kwh(tdp_w: float, device_hours: float) -> float:
    return tdp_w * device_hours / 1000.0


def carbon_g(tdp_w: float, device_hours: float, gco2e_per_kwh: float) -> float:
    return energy_kwh(tdp_w, device_hours) * gco2e_per_kwh


def joules(rows: Sequence[Row]) -> Floats:
    """Energy of each row in its own unit, given what no caller of an API has: the hours of the devices."""
    return tdp_time_j(rows)
