"""Which share of what was reported a correction changes, and whether that has to be told. Pure."""

THRESHOLD_PERCENT = 5.0
"""From which change on a restatement is taken for material, where nothing else is set."""


def materiality_percent(reported_ugco2e: int, restated_ugco2e: int) -> float | None:
    """The change as a share of what was reported, in percent; None: nothing was reported."""
    return 100 * abs(restated_ugco2e - reported_ugco2e) / reported_ugco2e if reported_ugco2e else None


def is_material(reported_ugco2e: int, restated_ugco2e: int, threshold_percent: float) -> bool:
    """Whether a change reaches the threshold; where nothing was reported, whether there is anything."""
    if reported_ugco2e == restated_ugco2e:
        return False
    percent = materiality_percent(reported_ugco2e, restated_ugco2e)
    return percent is None or percent >= threshold_percent
