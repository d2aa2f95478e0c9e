"""Ranges as they are shown to a person."""

from collections.abc import Mapping


def range_text(bounds: Mapping[str, float]) -> str:
    """`70`, or `70 (60 to 80)` where the bounds differ. `bounds` has `low`, `mid` and `high`."""
    if bounds["low"] == bounds["high"]:
        return f"{bounds['mid']:g}"
    return f"{bounds['mid']:.4g} ({bounds['low']:.4g} to {bounds['high']:.4g})"
