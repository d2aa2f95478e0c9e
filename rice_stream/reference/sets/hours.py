"""A carbon intensity that changes by the hour: of the day, of the day by month, or hour after hour. Hours are of UTC."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rice_stream.instants import HOUR_S, SECOND_US, datetime_of
from rice_stream.quantities import RCI_GCO2E_PER_KWH_LIMITS, Range

HOURS_A_DAY, MONTHS = 24, 12
HOUR_US = HOUR_S * SECOND_US
SERIES_MAX = 20 * 8_784
"""Hours of one series: twenty years."""
_DECIMALS = 6

Shape = str
SHAPES: tuple[Shape, ...] = ("by_hour", "by_month_and_hour", "series")
"""The fields of a row that give hours; a row has one of them at most."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The values of one row: 24, or 12 x 24 by month, or one an hour from `start_us` (epoch microseconds) on."""

    shape: Shape
    values: tuple[float, ...]
    start_us: int = 0

    def at(self, at_us: int) -> float | None:
        """The value of the hour that an instant is in; None before a series begins and after it has ended."""
        if self.shape == "series":
            position = (at_us - self.start_us) // HOUR_US
            return self.values[position] if 0 <= position < len(self.values) else None
        moment = datetime_of(at_us)
        month = (moment.month - 1) * HOURS_A_DAY if self.shape == "by_month_and_hour" else 0
        return self.values[month + moment.hour]

    @property
    def mean(self) -> float:
        """What stands for the place where no hour is asked for, such as in a mix of places."""
        return round(math.fsum(self.values) / len(self.values), _DECIMALS)

    @property
    def end_us(self) -> int | None:
        """When a series has ended; None of values that repeat."""
        return self.start_us + len(self.values) * HOUR_US if self.shape == "series" else None

    def content(self) -> list[object]:
        """As a file has it."""
        values = list(self.values)
        if self.shape == "by_month_and_hour":
            return [values[first : first + HOURS_A_DAY] for first in range(0, len(values), HOURS_A_DAY)]
        return [*values]


@dataclass(frozen=True, slots=True)
class HourlyRange:
    """Hours with the range that the place's kind gives each of them."""

    hours: Hours
    spread: Range
    """Factors: low, mid and high of the value 1."""

    def at(self, at_us: int) -> Range | None:
        """The range (gCO2e/kWh) of the hour that an instant is in, None where no value is of that hour."""
        value = self.hours.at(at_us)
        if value is None:
            return None
        spread = self.spread
        return Range(*(round(value * factor, _DECIMALS) for factor in (spread.low, spread.mid, spread.high)))


def read_hours(fields: Mapping[str, object], start_us: int | None, problems: list[str], where: str) -> Hours | None:
    """The hours that a row's fields give, None where they give none; what is wrong is added to `problems`.

    `start_us` is the row's `valid_from`, at which a series begins.
    """
    given = [name for name in SHAPES if fields.get(name) is not None]
    if not given:
        return None
    if len(given) > 1:
        problems.append(f"{where}, column {given[1]}: give {' or '.join(given)}, not both")
        return None
    shape = given[0]
    flat = _flat(shape, fields[shape])
    if flat is None:
        problems.append(f"{where}, column {shape}: it holds {_ALLOWED[shape]}")
        return None
    limits = RCI_GCO2E_PER_KWH_LIMITS
    for position, value in enumerate(flat, start=1):
        if isinstance(value, bool) or not isinstance(value, int | float) or not limits.allow(value):
            shown = repr(value)[:60]
            problems.append(f"{where}, column {shape}: value {position}, {shown}, is not allowed; each is {limits}")
            return None
    if shape == "series" and (start_us is None or start_us % HOUR_US):
        problems.append(f"{where}, column valid_from: a series begins at it, so give the start of an hour (UTC)")
        return None
    return Hours(shape, tuple(float(str(value)) for value in flat), start_us or 0 if shape == "series" else 0)


_ALLOWED: Mapping[Shape, str] = {
    "by_hour": "a list of 24 numbers, one for each hour of the day (UTC)",
    "by_month_and_hour": "a list of 12 months, each a list of 24 numbers, one for each hour of the day (UTC)",
    "series": f"a list of 1 to {SERIES_MAX} numbers, one an hour from valid_from on",
}


def _flat(shape: Shape, value: object) -> Sequence[object] | None:
    """All values in one list; None: not of that shape."""
    if not isinstance(value, list):
        return None
    if shape == "series":
        return value if 0 < len(value) <= SERIES_MAX else None
    if shape == "by_hour":
        return value if len(value) == HOURS_A_DAY else None
    if len(value) != MONTHS or not all(isinstance(month, list) and len(month) == HOURS_A_DAY for month in value):
        return None
    return [one for month in value for one in month]
