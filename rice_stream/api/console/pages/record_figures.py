"""What the page of a record shows of its explanation: the arithmetic as bars, what its range is made of, what it rests on. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rice_stream.api.console.causes import CAUSES, NARROWING
from rice_stream.basis import Basis, basis_names
from rice_stream.quantities import MICRO
from rice_stream.reference.sources import DataSource
from rice_stream.reference.types import KNOWN_MODEL_RUNGS, is_place_assumed

Step = Mapping[str, Any]
_J_PER_WH = 3_600
_SPREAD = "log_sd_"
_LARGEST = 3
_TOKENS_MISSING = {*basis_names(Basis.INPUT_TOKENS_MISSING | Basis.OUTPUT_TOKENS_MISSING)}
_TOKENS_GUESSED = {*basis_names(Basis.USAGE_DERIVED | Basis.USAGE_ESTIMATED)}


class EnergyPart(NamedTuple):
    """One part of the energy, from where the one before ends: watt-hours; `step` says how it came about."""

    title: str
    start_wh: float
    end_wh: float
    step: Step


class Cause(NamedTuple):
    """One cause of the range, and its share of the whole."""

    title: str
    share: float
    narrowing: str


class Rests(NamedTuple):
    """One of the things that the amount rests on: how well it is known, in one of five words, and why that one."""

    title: str
    known: str
    why: str


def carbon_of(record: Mapping[str, Any]) -> dict[str, float]:
    """The stored amounts in grams."""
    return {end: record[f"carbon_{end}_ugco2e"] / MICRO for end in ("low", "mid", "high")}


def energy_bars(steps: Sequence[Step]) -> list[EnergyPart]:
    """From reading the prompt to the meter of the building; only where the method says each part."""
    by_name = {step["name"]: step for step in steps}
    ends = [
        ("Reading the prompt", "prefill_j", _J_PER_WH),
        ("Writing the answer", "gpu_energy_j", _J_PER_WH),
        ("As metered", "metered_energy_j", _J_PER_WH),
        ("Servers around it, and machines that wait", "it_energy_wh", 1),
        ("Cooling and power supply of the building", "facility_energy_wh", 1),
    ]
    bars: list[EnergyPart] = []
    for title, name, per_wh in ends:
        if name in by_name:
            end_wh = by_name[name]["value"] / per_wh
            # Of a facility's own meter the energy of the machines is less than what was metered.
            start_wh = bars[-1].end_wh if bars else 0.0
            shown = by_name["decode_j"] if name == "gpu_energy_j" and "decode_j" in by_name else by_name[name]
            bars.append(EnergyPart(title, start_wh, end_wh, shown))
    return bars


def causes_of(steps: Sequence[Step]) -> list[Cause]:
    """What is not known, largest first; nothing where the method's ends are bounds."""
    whole = next((step["value"] for step in steps if step["name"] == "log_sd"), 0.0)
    return [
        Cause(CAUSES.get(name, name), (step["value"] / whole) ** 2, NARROWING.get(name, "Evidence about it."))
        for step in steps
        if step["name"].startswith(_SPREAD) and whole and (name := step["name"].removeprefix(_SPREAD))
    ]


def narrowing_of(causes: Sequence[Cause]) -> list[Cause]:
    """The largest causes: what to find out first."""
    return list(causes[:_LARGEST])


def rests_on(record: Mapping[str, Any]) -> list[Rests]:
    """Tokens, model, energy and place, each with its word."""
    words = set(str(record["basis"]).split(","))
    named = record["model"] or "no model"
    tokens = "defaulted" if words & _TOKENS_MISSING else "estimated" if words & _TOKENS_GUESSED else "reported"
    known_model = record["model_rung"] in KNOWN_MODEL_RUNGS
    metered = record["metered_energy_uj"] is not None
    assumed = is_place_assumed(record["region_rung"])
    return [
        Rests(
            "Tokens",
            tokens,
            "as the event gave them" if tokens == "reported" else "not given as the provider counted them",
        ),
        Rests(
            "Model",
            "reported" if known_model else "defaulted",
            f"{named} is {record['model_resolved']}"
            if known_model
            else f"{named} is in no table: {record['model_resolved']} stands in",
        ),
        Rests(
            "Energy",
            "measured" if metered else "estimated",
            f"a meter’s joules ({record['energy_boundary']})" if metered else f"computed by {record['method_version']}",
        ),
        Rests(
            "Place",
            "defaulted" if assumed else "reported",
            f"where it ran is not known: {record['region_resolved']} stands in"
            if assumed
            else str(record["region_resolved"]),
        ),
    ]


def licences_in(text: str, sources: Iterable[DataSource]) -> list[DataSource]:
    """The sources that a step names."""
    return [source for source in sources if source.name and source.name in text]
