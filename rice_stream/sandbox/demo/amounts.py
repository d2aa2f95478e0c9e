"""Amounts as people read them: three digits or so, in the unit that fits."""

_GRAMS = ((1e6, "t"), (1e3, "kg"), (1.0, "g"), (1e-3, "mg"), (1e-6, "ug"))
_WATT_HOURS = ((1e9, "GWh"), (1e6, "MWh"), (1e3, "kWh"), (1.0, "Wh"), (1e-3, "mWh"), (1e-6, "uWh"))

Units = tuple[tuple[float, str], ...]


def grams(value_g: float, digits: int = 3) -> str:
    """`12.1 kg`."""
    number, unit = _scaled(value_g, _GRAMS, digits)
    return f"{number} {unit}"


def watt_hours(value_wh: float, digits: int = 3) -> tuple[str, str]:
    """(`4.31`, `kWh`)."""
    return _scaled(value_wh, _WATT_HOURS, digits)


def percent(ratio: float) -> str:
    """`82 %`; one decimal below ten."""
    return f"{ratio:.0%}".replace("%", " %") if ratio >= 0.0995 else f"{ratio:.1%}".replace("%", " %")


def minutes(seconds: float) -> str:
    """`01:23`, or `1:02:03` from an hour on."""
    whole = int(seconds)
    hours, in_hour_s = divmod(whole, 3600)
    clock = f"{in_hour_s // 60:02d}:{in_hour_s % 60:02d}"
    return f"{hours}:{clock}" if hours else clock


def _scaled(value: float, units: Units, digits: int) -> tuple[str, str]:
    scale, unit = _unit_of(value, units, digits)
    return _digits(value / scale, digits), unit


def _unit_of(value: float, units: Units, digits: int) -> tuple[float, str]:
    # What would be rounded up to 1000 of a unit is 1 of the next.
    margin = 1 - 0.5 * 10.0**-digits
    return next((entry for entry in units if value >= entry[0] * margin), _smallest(value, units))


def _smallest(value: float, units: Units) -> tuple[float, str]:
    """Zero is shown in the base unit; anything smaller than the smallest unit in that unit."""
    return units[-1] if value else next(entry for entry in units if entry[0] == 1.0)


def _digits(value: float, digits: int) -> str:
    """The value in at least `digits` digits; never fewer than its whole part has."""
    rounded = round(value, _decimals(value, digits))
    return f"{rounded:,.{_decimals(rounded, digits)}f}" if value else "0"


def _decimals(value: float, digits: int) -> int:
    whole = len(str(int(value)))
    return max(digits - whole, 0)
