"""Factors that events state: which values can be true, and how exactly they are taken. Pure.

Estimates are kept by kind of request (model, place and factors), so a factor that is measured for every request would make
every request a kind of its own, with rows of its own in all totals. Two or three digits are far more than any estimate
is good for.
"""

import math
from collections.abc import Callable
from typing import Any

from rice_stream.basis import Basis
from rice_stream.quantities import Limits

FACTOR_FIELDS = ("hardware", "devices", "batch_size", "utilisation", "pue", "rci_gco2e_per_kwh")
"""Factors of the formula that an event may bring itself; nearly always absent."""
Factors = tuple[Any, ...]
"""The values of FACTOR_FIELDS, None for what the event does not say."""
NOTHING_STATED: Factors = (None,) * len(FACTOR_FIELDS)

PLAUSIBLE_LIMITS = {
    "devices": Limits(at_least=0.01, up_to=1024),
    "batch_size": Limits(at_least=1, up_to=16_384),
    "utilisation": Limits(at_least=0.05, up_to=1),
    "pue": Limits(at_least=1, up_to=3),
    "rci_gco2e_per_kwh": Limits(at_least=1, up_to=2000),
}
"""What a sender's factors can be; docs/events.md gives the reasons. An operator's own settings have wider limits."""


def _to_digits(digits: int) -> Callable[[float], float]:
    return lambda value: float(f"{value:.{digits}g}")


def _to_hundredths(value: float) -> float:
    return round(float(value), 2)


_ROUNDED: dict[str, Callable[[float], float]] = {
    "devices": _to_digits(2),
    "batch_size": _to_digits(2),
    "utilisation": _to_hundredths,
    "pue": _to_hundredths,
    "rci_gco2e_per_kwh": _to_digits(3),
}


def _to_half_digits(value: float) -> float:
    """1, 1.5, 2, 3, ... 9, 10, 15, 20, ...: within 20 % of the value."""
    magnitude = 10.0 ** math.floor(math.log10(value))
    step = magnitude / 2 if value < 2 * magnitude else magnitude
    return float(f"{round(value / step) * step:.2g}")


def _to_tenths(value: float) -> float:
    return round(value, 1)


_COARSE: dict[str, Callable[[float], float]] = {
    "devices": _to_half_digits,
    "batch_size": _to_half_digits,
    "utilisation": _to_tenths,
    "pue": _to_tenths,
    "rci_gco2e_per_kwh": _to_half_digits,
}


def coarse(taken: Factors) -> Factors:
    """Factors that `plausible` gave, rounded so far that all their combinations are some hundred in practice."""
    fields = zip(FACTOR_FIELDS, taken, strict=True)
    return tuple(value if value is None or name not in _COARSE else _COARSE[name](value) for name, value in fields)


def plausible(stated: Factors) -> tuple[Factors, int]:
    """(the factors as they are taken, flags of `Basis`): rounded, and None for one that cannot be true."""
    taken: list[Any] = []
    flags = 0
    for name, value in zip(FACTOR_FIELDS, stated, strict=True):
        if value is None or name not in PLAUSIBLE_LIMITS:
            taken.append(value or None)
        elif PLAUSIBLE_LIMITS[name].allow(value):
            taken.append(_ROUNDED[name](value))
        else:
            taken.append(None)
            flags |= Basis.EVENT_FACTOR_IMPLAUSIBLE
    return tuple(taken), flags
