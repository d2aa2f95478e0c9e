"""Weighted mixes: how a cell holds them (`H100=0.4|H200=0.6`), and one log-normal in the place of several. Pure."""

import math
from collections.abc import Sequence

from rice_stream.quantities import Range

Mix = tuple[tuple[str, float], ...]
"""Names with their shares, which sum to 1."""

Z80 = 1.2815515655446004
"""Standard deviations from the median to the 90th percentile of a normal distribution."""
_STEPS = 60
"""Halvings of the interval in which a quantile is looked for: more than a float can tell apart."""
_DIGITS = 6


def read_mix(cell: str) -> Mix:
    """The names of a cell with their shares, scaled to sum to 1; a name alone has a share of 1.

    Raises ValueError for a share that is no positive number, a name that is empty or comes twice.
    """
    found: dict[str, float] = {}
    for part in filter(None, (text.strip() for text in cell.split("|"))):
        name, _, share = part.rpartition("=") if "=" in part else (part, "", "1")
        weight = float(share)
        name = name.strip()
        if not name or name in found or not 0 < weight < math.inf:
            raise ValueError(part)
        found[name] = weight
    whole = math.fsum(found.values())
    return tuple((name, weight / whole) for name, weight in found.items())


def mixed(parts: Sequence[tuple[float, Range]]) -> Range:
    """The 10th, 50th and 90th percentile of a mix of log-normals, each given by its weight and 80 % range.

    Quantiles, not the mean of logarithms: a few very clean places among many would pull that far below what most of the
    load gets. Low, middle and high are then made symmetric about the middle in logarithms, with the same ratio of high to
    low, because that is how ranges are combined.
    """
    curves = [(weight, math.log(value.mid), log_sd_of(value)) for weight, value in parts]
    if len(curves) == 1 or all(curve[1:] == curves[0][1:] for curve in curves):
        _, mid, log_sd = curves[0]
    else:
        low, mid, high = (_quantile(curves, share) for share in (0.1, 0.5, 0.9))
        log_sd = (high - low) / (2 * Z80)
    return Range(
        round(math.exp(mid - Z80 * log_sd), _DIGITS),
        round(math.exp(mid), _DIGITS),
        round(math.exp(mid + Z80 * log_sd), _DIGITS),
    )


def log_sd_of(value: Range) -> float:
    """Standard deviation of the logarithm that an 80 % range stands for, by the ratio of its ends."""
    if value.low <= 0 or value.high <= value.low:
        return 0.0
    return math.log(value.high / value.low) / (2 * Z80)


def _quantile(curves: Sequence[tuple[float, float, float]], share: float) -> float:
    """The logarithm below which `share` of the mix lies, by halving."""
    whole = math.fsum(weight for weight, _, _ in curves)
    left = min(mid - 6 * log_sd for _, mid, log_sd in curves)
    right = max(mid + 6 * log_sd for _, mid, log_sd in curves)
    for _ in range(_STEPS):
        middle = (left + right) / 2
        below = math.fsum(weight * _below(middle, mid, log_sd) for weight, mid, log_sd in curves)
        left, right = (middle, right) if below < share * whole else (left, middle)
    return (left + right) / 2


def _below(at: float, mid: float, log_sd: float) -> float:
    """The share of one normal distribution that lies below a value."""
    if log_sd <= 0:
        return 0.0 if at < mid else 1.0
    return 0.5 * (1 + math.erf((at - mid) / (log_sd * math.sqrt(2))))
