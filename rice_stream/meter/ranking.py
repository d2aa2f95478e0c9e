"""Orders models by the carbon of one described request, and says which order is certain. Pure.

All models are put to the same method with the same place, profile and tokens. What they share cannot decide between them,
so the order is called certain only by what they do not share: the ranges of their energies, at one carbon intensity.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rice_stream.errors import UsageError
from rice_stream.meter.estimating import Described, RequestEstimate, estimate_all
from rice_stream.meter.estimator_at import EstimatorAt

PER_OUTPUT_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class Ranked:
    """One model's place. `carbon_gco2e` and `facility_energy_wh` are (low, mid, high) per prompt."""

    rank: int
    model: str
    estimated: RequestEstimate
    carbon_gco2e: tuple[float, float, float]
    facility_energy_wh: tuple[float, float, float]
    uncertain_against: tuple[str, ...]
    """Ranked models whose range of energy overlaps this one's: which of the two is lower is not certain."""


def rank_models(models: Sequence[str], request: Described, estimator: EstimatorAt) -> list[Ranked]:
    """The models by their middle carbon, lowest first; `request` says everything but the model.

    Raises UsageError where no model is given.
    """
    names = list(dict.fromkeys(models))
    if not names:
        raise UsageError("model: no model to rank; name some with --model, or leave out --search")
    described = [replace(request, model=name) for name in names]
    estimates = estimate_all(described, estimator)
    rows = sorted(zip(names, estimates, strict=True), key=lambda row: (row[1].values["carbon_gco2e"]["mid"], row[0]))
    energies = [_energy_wh(estimated) for _, estimated in rows]
    return [
        Ranked(
            rank=place + 1,
            model=name,
            estimated=estimated,
            carbon_gco2e=_three(estimated.values["carbon_gco2e"]),
            facility_energy_wh=energies[place],
            uncertain_against=tuple(
                rows[other][0]
                for other, energy in enumerate(energies)
                if other != place and overlap(energy, energies[place])
            ),
        )
        for place, (name, estimated) in enumerate(rows)
    ]


def overlap(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Whether two ranges (low, mid, high) have a value in common."""
    return one[0] <= other[2] and other[0] <= one[2]


def _energy_wh(estimated: RequestEstimate) -> tuple[float, float, float]:
    pue: float = estimated.values["pue"]
    low, mid, high = estimated.it_energy_wh
    return low * pue, mid * pue, high * pue


def _three(ends: dict[str, float]) -> tuple[float, float, float]:
    return ends["low"], ends["mid"], ends["high"]


def rank_document(ranked: Sequence[Ranked], request: Described) -> list[dict[str, Any]]:
    """The rows of `rice-stream rank --json`. Amounts per 1,000 output tokens are null where none are put out."""
    shown = {one.model for one in ranked}
    return [
        {
            "rank": one.rank,
            "model": one.model,
            "model_resolved": one.estimated.use.columns["model_resolved"],
            "carbon_gco2e_per_prompt": _ends(one.carbon_gco2e, 1.0),
            "carbon_gco2e_per_1000_output_tokens": (
                _ends(one.carbon_gco2e, PER_OUTPUT_TOKENS / request.output_tokens) if request.output_tokens else None
            ),
            "facility_energy_wh": _ends(one.facility_energy_wh, 1.0),
            "hardware": one.estimated.values["hardware"],
            "devices": one.estimated.values["devices"],
            "batch_size": one.estimated.values["batch_size"],
            "precision": one.estimated.values["precision"],
            "uncertain_against": [name for name in one.uncertain_against if name in shown],
            "basis": one.estimated.values["basis"],
        }
        for one in ranked
    ]


def _ends(values: tuple[float, float, float], factor: float) -> dict[str, float]:
    return {"low": values[0] * factor, "mid": values[1] * factor, "high": values[2] * factor}
