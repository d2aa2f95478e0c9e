"""The rows of the page Explore: what each is of, its share, and what it was in the stretch before."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rice_stream.api.console.drawing.bars import overlap
from rice_stream.api.console.pages.explore_asked import ExploreParameters, Measure
from rice_stream.quantities import MEASURES, MICRO
from rice_stream.reports.totals_query import Only
from rice_stream.wording.amounts import Kind, change

_KINDS: Mapping[Measure, Kind] = {"carbon": "carbon", "energy": "energy", "prompts": "count", "tokens": "count"}
_BESIDES: Mapping[Measure, Only] = {"energy": ("energy",), "tokens": ("tokens",)}
_INPUT, _OUTPUT, _PROMPTS, _CARBON, _ENERGY = map(
    MEASURES.index, ("input_tokens", "output_tokens", "prompts", "carbon_mid_ugco2e", "facility_energy_uwh")
)
_UNNAMED = {
    "provider": "No provider named",
    "user": "No user named",
    "project": "No project",
    "team": "Unattributed",
    "cost_centre": "No cost centre",
}


def kind_of(measure: Measure) -> Kind:
    """In which units a measure is told."""
    return _KINDS[measure]


def told_besides(measure: Measure) -> Only:
    """What has to be asked for besides prompts and carbon, to tell a measure."""
    return _BESIDES.get(measure, ())


def amounts_of_sums(measure: Measure, several: Iterable[Sequence[int]]) -> list[float]:
    """Of exact sums of MEASURES what `amount` says of a row with them."""
    if measure == "tokens":
        return [float(sums[_INPUT] + sums[_OUTPUT]) for sums in several]
    if measure == "prompts":
        return [float(sums[_PROMPTS]) for sums in several]
    place = _CARBON if measure == "carbon" else _ENERGY
    return [sums[place] / MICRO for sums in several]


def amount(measure: Measure, amounts: Mapping[str, Any]) -> float:
    """What a row or a total has of a measure; tokens are those in and out."""
    if measure == "carbon":
        return float(amounts["carbon_gco2e"]["mid"])
    if measure == "energy":
        return float(amounts["facility_energy_wh"])
    if measure == "prompts":
        return float(amounts["prompts"])
    return float(amounts["input_tokens"] + amounts["output_tokens"])


def name_of(by: str, row: Mapping[str, Any], others: int) -> str:
    """What a row is called."""
    if row.get("other"):
        return f"Other ({others:,})"
    return row[by] or _UNNAMED.get(by, "Unnamed")


def rows_of(asked: ExploreParameters, by: str, table: dict[str, Any], earlier: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the table, each with what it has besides its amounts."""
    of_before = {row[by]: row for row in earlier["rows"]}
    all_known = len(of_before) == earlier["rows_total"]
    total = amount(asked.measure, table["total"])
    rows = []
    for row in table["rows"]:
        now = amount(asked.measure, row)
        was = None if row["other"] else of_before.get(row[by])
        rows.append(
            {
                **row,
                "name": name_of(by, row, table["names_total"] - asked.rows),
                # To how well something is known no page can be narrowed.
                "address": None if row["other"] or by == "data_tier" else asked.only(by, row[by]),  # type: ignore[arg-type]
                "share": now / total if total else 0.0,
                "change": None if was is None else change(now, amount(asked.measure, was)),
                "before": was,
                "overlap": was is not None and overlap(row["carbon_gco2e"], was["carbon_gco2e"]),
                "is_new": not row["other"] and was is None and all_known,
            }
        )
    return rows
