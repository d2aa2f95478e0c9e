"""A bridge as bars, each from where the one before ends: from what was reported over its corrections to what is known. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from rice_stream.wording.causes import CAUSE_WORDS

_CUT_FROM = 0.5
"""Where every bar is longer than this share of the longest, the axis does not begin at zero: small steps would not be seen."""
_ROOM = 0.25


class BridgeBar(NamedTuple):
    """One bar: places in percent of the axis; `grams` is the amount, of a step with its sign."""

    title: str
    kind: str
    """`whole`, `more` or `less`."""
    left: float
    width: float
    reach: float
    """Where the next bar begins."""
    grams: float
    prompts: int


class BridgeBars(NamedTuple):
    """All bars of a bridge; the axis goes from `low_gco2e` to `high_gco2e`."""

    bars: list[BridgeBar]
    low_gco2e: float
    high_gco2e: float


def bridge_bars(bridge: Mapping[str, Any]) -> BridgeBars:
    """The bars of an answer of `/v1/bridge`; causes that change nothing are left out."""
    steps = [step for step in bridge["steps"] if step["carbon_ugco2e"] or step["prompts"]]
    at = float(bridge["reported"]["carbon_gco2e"])
    stands = [at]
    for step in steps:
        at += step["carbon_gco2e"]
        stands.append(at)
    low, high = min(stands), max(stands)
    low = max(0.0, low - _ROOM * (high - low)) if high > low > _CUT_FROM * high else min(0.0, low)
    length = (high - low) or 1.0

    def place(grams: float) -> float:
        return round(100 * (grams - low) / length, 3)

    def whole(title: str, amounts: Mapping[str, Any]) -> BridgeBar:
        end = place(amounts["carbon_gco2e"])
        return BridgeBar(title, "whole", 0.0, end, end, amounts["carbon_gco2e"], amounts["prompts"])

    bars = [whole("As reported", bridge["reported"])]
    for step, before, after in zip(steps, stands[:-1], stands[1:], strict=True):
        one, other = sorted((place(before), place(after)))
        kind = "more" if step["carbon_gco2e"] > 0 else "less"
        title = CAUSE_WORDS[step["cause"]]
        bars.append(BridgeBar(title, kind, one, other - one, place(after), step["carbon_gco2e"], step["prompts"]))
    bars.append(whole("As restated", bridge["restated"]))
    return BridgeBars(bars, low, high)
