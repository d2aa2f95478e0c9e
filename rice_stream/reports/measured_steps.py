"""The steps of `rice-stream explain` for a record whose energy was metered: from the meter's joules to IT energy."""

from collections.abc import Mapping
from typing import Any

from rice_stream.events.metered_energy import FACILITY, SERVER
from rice_stream.meter.metered import J_PER_WH
from rice_stream.quantities import MICRO

_SOURCE = "docs/events.md, metered energy"
_FORMULAS = {
    FACILITY: "metered_energy_j / pue / 3600",
    SERVER: "metered_energy_j x (1 + idle_share) / 3600",
}
_GPU_FORMULA = "metered_energy_j x (1 + host_share) x (1 + idle_share) / 3600"

Steps = list[dict[str, Any]]


def measured_steps(energy_uj: int, measured: Mapping[str, Any], it_energy_wh: float, estimated_wh: float) -> Steps:
    """`measured` is that of the factors' detail; `it_energy_wh` is the record's, `estimated_wh` what the method would have said."""
    boundary = measured["boundary"]
    steps = [_step("metered_energy_j", f"as metered, boundary {boundary}", energy_uj / MICRO, "J", "the event")]
    if boundary not in _FORMULAS:
        steps.append(_share("host_share", "servers / accelerators at 500 input and 250 output tokens", measured))
    if boundary != FACILITY:
        steps.append(_share("idle_share", "machines that wait / machines at work", measured))
    formula = _FORMULAS.get(boundary, _GPU_FORMULA)
    # In the order of the arithmetic of the record, so that it is the same to the last bit.
    own = energy_uj / MICRO * measured["it_per_metered"] / J_PER_WH
    if own != it_energy_wh:
        raise AssertionError("explained otherwise than it was computed")
    return [
        *steps,
        _step("it_energy_wh", formula, it_energy_wh, "Wh", _SOURCE),
        _step("estimated_it_energy_wh", "the estimate, for comparison: not used", estimated_wh, "Wh", "the method"),
    ]


def _share(name: str, formula: str, measured: Mapping[str, Any]) -> dict[str, Any]:
    return _step(name, formula, measured[name], "", "the method, of this kind of request")


def _step(name: str, formula: str, value: object, unit: str, source: str) -> dict[str, Any]:
    return {"name": name, "formula": formula, "value": value, "unit": unit, "source": source}
