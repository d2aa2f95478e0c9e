"""Amounts as people read them: one SI prefix, at most four significant digits, thin spaces between thousands."""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

Kind = Literal["carbon", "energy", "water", "count"]
THIN = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
DIGITS = 4
"""Significant digits at most; ranges have one less."""
_MICRO, _MILLI, _KILO, _MEGA, _GIGA = 1e-6, 1e-3, 1e3, 1e6, 1e9


class Scale(NamedTuple):
    """A unit, and how many of the amount's own unit it is."""

    size: float
    unit: str


SCALES: Mapping[Kind, tuple[Scale, ...]] = {
    "carbon": (
        Scale(_MICRO, "µgCO₂e"),
        Scale(_MILLI, "mgCO₂e"),
        Scale(1.0, "gCO₂e"),
        Scale(_KILO, "kgCO₂e"),
        Scale(_MEGA, "tCO₂e"),
        Scale(_GIGA, "ktCO₂e"),
    ),
    "energy": (
        Scale(_MICRO, "µWh"),
        Scale(_MILLI, "mWh"),
        Scale(1.0, "Wh"),
        Scale(_KILO, "kWh"),
        Scale(_MEGA, "MWh"),
        Scale(_GIGA, "GWh"),
    ),
    "water": (Scale(_MICRO, "µl"), Scale(_MILLI, "ml"), Scale(1.0, "l"), Scale(_KILO, "m³")),
    "count": (Scale(1.0, ""), Scale(_KILO, "thousand"), Scale(_MEGA, "million"), Scale(_GIGA, "billion")),
}
"""Units of each kind, smallest first. Amounts are given in grams CO2-equivalent, watt-hours, litres, or pieces."""
_BASE = {"carbon": 2, "energy": 2, "water": 2, "count": 0}


def scale_for(kind: Kind, values: Iterable[float]) -> Scale:
    """The unit in which the largest of the values has one to three digits before the point: one for a whole chart."""
    largest = max((abs(value) for value in values), default=0.0)
    scales = SCALES[kind]
    if not largest:
        return scales[_BASE[kind]]
    # What rounds up to a thousand is one of the next unit.
    fitting = [scale for scale in scales if float(f"{largest / scale.size:.{DIGITS}g}") >= 1]
    return fitting[-1] if fitting else scales[0]


def number(value: float, digits: int = DIGITS) -> str:
    """The value with so many significant digits at most, never in exponents."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no amount")
    rounded = float(f"{value:.{digits}g}")
    if rounded == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    text = f"{abs(rounded):,.{places}f}".replace(",", THIN)
    return f"{MINUS if rounded < 0 else ''}{text}"


def count(value: int) -> str:
    """A whole number with all its digits."""
    return f"{MINUS if value < 0 else ''}{abs(value):,}".replace(",", THIN)


def amount(value: float, kind: Kind, scale: Scale | None = None, digits: int = DIGITS) -> str:
    """The value with its unit: `1.21 kgCO₂e`."""
    in_unit = scale or scale_for(kind, [value])
    return f"{number(value / in_unit.size, digits)}{THIN}{in_unit.unit}".rstrip(THIN)


def range_text(measure: Mapping[str, float], kind: Kind, scale: Scale | None = None) -> str:
    """The ends of a `{"low", "mid", "high"}` or `{"low", "high"}`: `1.05–1.43 kgCO₂e`."""
    in_unit = scale or scale_for(kind, [measure["high"]])
    low, high = (number(measure[end] / in_unit.size, DIGITS - 1) for end in ("low", "high"))
    return f"{low}{DASH}{high}{THIN}{in_unit.unit}".rstrip(THIN)


@lru_cache(maxsize=256)
def _places(largest: float) -> int:
    """After the point, so that the largest number of a column has DIGITS digits; kept, as all of the column have as many."""
    return min(max(0, DIGITS - 1 - math.floor(math.log10(largest))), DIGITS - 1) if largest > 0 else 0


def in_column(value: float, scale: Scale, largest: float) -> str:
    """A number of a column that has its unit in its heading: as many places as the largest has, so that points stand in line."""
    places = _places(largest / scale.size)
    in_unit = value / scale.size
    if 0 < in_unit < 10.0**-places / 2:
        return f"<{THIN}{10.0**-places:.{places}f}"
    return f"{in_unit:,.{places}f}".replace(",", THIN).replace("-", MINUS)


def exact(value: float) -> str:
    """A number that somebody chose, a limit say: with the digits that it was given, and no more."""
    text = f"{Decimal(repr(value)):,f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace(",", THIN).replace("-", MINUS)


def exact_percent(share: float) -> str:
    """A share that somebody chose, a threshold say."""
    text = f"{Decimal(repr(share)) * 100:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}{THIN}%"


def percent(share: float) -> str:
    """A share of 1 as `8.25 %`; whatever is there is never shown as nothing, nor all but a little as all."""
    if 0 < share < 0.0005:
        return f"<{THIN}0.1{THIN}%"
    if 0.9995 <= share < 1:
        return f">{THIN}99.9{THIN}%"
    return f"{_percents(share)}{THIN}%"


def _percents(share: float) -> str:
    """With one place; without one from 100 on, and where there is nothing."""
    value = abs(share) * 100
    return f"{value:,.{1 if 0 < value < 99.95 else 0}f}".replace(",", THIN)


def change(now: float, before: float) -> str | None:
    """How much more or less than before, in percent; None: there was nothing before."""
    if not before:
        return None
    ratio = now / before - 1
    if abs(ratio) < 0.0005:
        return f"±0{THIN}%"
    return f"{'+' if ratio > 0 else MINUS}{_percents(ratio)}{THIN}%"
