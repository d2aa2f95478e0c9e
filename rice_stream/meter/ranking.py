"""Orders models by the carbon of one described request, and says which order is certain. Pure.

All models are put to the same method with the same place, profile and tokens. What they share cannot decide between them,
so the order is called certain only by what they do not share: by the 80 % range of the ratio of two models' carbon, in which
common uncertainties cancel. A method without spreads gives no such range; there it is by the ranges of their energies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from rice_stream.errors import UsageError
from rice_stream.estimator.spread import ends
from rice_stream.meter.described import Described
from rice_stream.meter.estimating import RequestEstimate, UsesOf, estimate_all, uses_of
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.meter.shared_ranges import log_sd_of_ratio, shared_of
from rice_stream.meter.variance_of_sums import Shared
from rice_stream.quantities import Range
from rice_stream.reference.lookup import Reference
from rice_stream.reference.types import KNOWN_MODEL_RUNGS

PER_OUTPUT_TOKENS = 1000
SMALLEST_B = 1.0
"""Smaller models (1e9 parameters) are ranked when they are asked for: no hosted service is built on them."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One model's place. `carbon_gco2e` and `facility_energy_wh` are (low, mid, high) per prompt."""

    rank: int
    model: str
    estimated: RequestEstimate
    carbon_gco2e: tuple[float, float, float]
    facility_energy_wh: tuple[float, float, float]
    uncertain_against: tuple[str, ...]
    """Ranked models of which it is not certain which of the two is lower."""
    ratio_to_first: Range | None
    """Its carbon over that of the lowest; None from a method without spreads."""


def models_to_rank(
    reference: Reference, at_us: int, *, models: Sequence[str] = (), search: str | None = None
) -> list[str]:
    """The given models; else those of the table that match the search's words; else all that a service may be built on.

    Raises:
        UsageError: both models and words are given, or no model of the table matches.
    """
    if models and search:
        raise UsageError("--search: give models with --model, or words to search with, not both")
    if models:
        return list(models)
    rows = reference.search_models(search or "", at_us=at_us)
    if search:
        found = [row["model_id"] for row in rows if row["rung"] in KNOWN_MODEL_RUNGS]
        if not found:
            raise UsageError(f"--search {search!r}: no model of the table matches; see `rice-stream models`")
        return found
    return [row["model_id"] for row in rows if not row["benchmark_only"] and row["params_total_b"]["mid"] >= SMALLEST_B]


def rank_models(
    models: Sequence[str], request: Described, estimator: EstimatorAt, uses_of: UsesOf = uses_of
) -> list[Ranked]:
    """The models by their middle carbon, lowest first; `request` says everything but the model; `uses_of` as of `estimate_all`.

    Raises UsageError where no model is given.
    """
    names = list(dict.fromkeys(models))
    if not names:
        raise UsageError("model: no model to rank; name some with --model, or leave out --search")
    described = [replace(request, model=name) for name in names]
    estimates = estimate_all(described, estimator, uses_of)
    rows = sorted(zip(names, estimates, strict=True), key=lambda row: (row[1].values["carbon_gco2e"]["mid"], row[0]))
    places = [_Place(name, estimated) for name, estimated in rows]
    uncertain: list[list[int]] = [[] for _ in places]
    for lower, higher in combinations(range(len(places)), 2):
        if _is_uncertain(places[lower], places[higher]):
            uncertain[lower].append(higher)
            uncertain[higher].append(lower)
    return [
        Ranked(
            rank=number + 1,
            model=place.model,
            estimated=place.estimated,
            carbon_gco2e=_three(place.estimated.values["carbon_gco2e"]),
            facility_energy_wh=place.energy_wh,
            uncertain_against=tuple(places[other].model for other in uncertain[number]),
            ratio_to_first=_ratio(places[0], place),
        )
        for number, place in enumerate(places)
    ]


class _Place:
    """What two models are compared by."""

    def __init__(self, model: str, estimated: RequestEstimate) -> None:
        self.model = model
        self.estimated = estimated
        self.carbon_gco2e: float = estimated.values["carbon_gco2e"]["mid"]
        self.energy_wh = _energy_wh(estimated)
        spread = estimated.use.spread
        self.shared: Shared | None = None if spread is None else shared_of(spread.detail())


def _ratio(one: _Place, other: _Place) -> Range | None:
    """The carbon of the other over that of one."""
    if one.shared is None or other.shared is None or not one.carbon_gco2e:
        return None
    low, high = ends(log_sd_of_ratio(one.shared, other.shared))
    ratio = other.carbon_gco2e / one.carbon_gco2e
    return Range(ratio * low, ratio, ratio * high)


def _is_uncertain(lower: _Place, higher: _Place) -> bool:
    """Whether the higher of two may be the lower one."""
    ratio = _ratio(lower, higher)
    return overlap(lower.energy_wh, higher.energy_wh) if ratio is None else ratio.low <= 1.0


def overlap(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Whether two ranges (low, mid, high) have a value in common."""
    return one[0] <= other[2] and other[0] <= one[2]


def _energy_wh(estimated: RequestEstimate) -> tuple[float, float, float]:
    pue: float = estimated.values["pue"]
    low, mid, high = estimated.it_energy_wh
    return low * pue, mid * pue, high * pue


def _three(ends: dict[str, float]) -> tuple[float, float, float]:
    return ends["low"], ends["mid"], ends["high"]


def rank_document(ranked: Sequence[Ranked], request: Described, limit: int | None = None) -> dict[str, Any]:
    """The answer of `rice-stream rank --json`, with the `limit` lowest models; `ranked` are all of them."""
    shown = ranked[:limit]
    values = shown[0].estimated.values
    return {
        "input_tokens": request.input_tokens,
        "output_tokens": request.output_tokens,
        "region": values["region"],
        "method": values["method"],
        "versions": values["versions"],
        "models_total": len(ranked),
        "rows": _rows(shown, request),
    }


def _rows(ranked: Sequence[Ranked], request: Described) -> list[dict[str, Any]]:
    """One row a model. Amounts per 1,000 output tokens are null where none are put out."""
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
            "ratio_to_first": (
                None
                if one.ratio_to_first is None
                else {end: getattr(one.ratio_to_first, end) for end in ("low", "mid", "high")}
            ),
            "uncertain_against": [name for name in one.uncertain_against if name in shown],
            "basis": one.estimated.values["basis"],
        }
        for one in ranked
    ]


def _ends(values: tuple[float, float, float], factor: float) -> dict[str, float]:
    return {"low": values[0] * factor, "mid": values[1] * factor, "high": values[2] * factor}
