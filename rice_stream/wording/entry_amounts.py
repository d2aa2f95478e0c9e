"""What entries add up to, in the units and names of answers. Pure."""

from collections.abc import Mapping
from typing import Any

from rice_stream.quantities import ENTRY_AMOUNTS, MICRO


def amounts_told(sums: Mapping[str, int]) -> dict[str, Any]:
    """What entries add up to, in the units and names of an answer."""
    told: dict[str, Any] = {name: sums[name] for name in ENTRY_AMOUNTS if name == "prompts" or name.endswith("_tokens")}
    for name in ("it_energy", "facility_energy"):
        told[f"{name}_wh"] = sums[f"{name}_uwh"] / MICRO
    carbon = {end: sums[f"carbon_{end}_ugco2e"] / MICRO for end in ("low", "mid", "high")}
    return {
        **told,
        "carbon_gco2e": carbon,
        "carbon_market_gco2e": sums["carbon_market_ugco2e"] / MICRO,
        "embodied_gco2e": sums["embodied_ugco2e"] / MICRO,
        "water_l": sums["water_ul"] / MICRO,
    }
