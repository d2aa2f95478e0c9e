"""What a budget is: a limit on one scope's carbon or energy over a period. Values only; `parsing` takes user input."""

import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Literal, get_args

from rice_stream.errors import UsageError
from rice_stream.instants import zone

Unit = Literal["gco2e", "kwh"]
Bound = Literal["low", "mid", "high"]
PeriodName = Literal["day", "week", "month", "quarter", "year", "rolling-24h", "rolling-7d", "rolling-30d"]

ROLLING_WINDOWS: Mapping[str, timedelta] = {
    "rolling-24h": timedelta(hours=24),
    "rolling-7d": timedelta(days=7),
    "rolling-30d": timedelta(days=30),
}
THRESHOLDS_DEFAULT = (0.5, 0.8, 1.0)
HYSTERESIS_DEFAULT = 0.05
MICRO_UNITS: Mapping[Unit, int] = {"gco2e": 10**6, "kwh": 10**9}
"""Stored integers per unit of a limit: ugCO2e per gCO2e, uWh per kWh."""

LIMIT_MAX = 2**63 - 1  # amounts and limits are BIGINT in every store
THRESHOLD_MAX = 10.0  # above it, a percentage (80 for 0.8) was meant
THRESHOLDS_MAX = 20
NAME_LENGTH_MAX = 200
ID_LENGTH_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit and the thresholds at which somebody wants to know.

    `limit` is an integer of micro-units: ugCO2e where `unit` is "gco2e", uWh of facility energy where it is "kwh".
    `thresholds` are ratios of the limit, ascending. `estimate` says which bound of the carbon's 80 % range is judged (energy
    has one value, so it has no bearing on a kWh budget). A threshold that fired resolves once the amount is below
    `threshold * (1 - hysteresis)`. `early_warning` says whether burn rates and the forecast are judged as well
    (`budgets.early_warning`). `team_id`, `project_id`, `cost_centre`, `user_id` and `model` narrow the scope
    where set.

    Raises:
        UsageError: lists every field that breaks a rule.
    """

    budget_id: int | None = None
    name: str
    tenant_id: str
    team_id: str | None = None
    project_id: str | None = None
    user_id: str | None = None
    model: str | None = None
    limit: int
    unit: Unit
    period: PeriodName
    time_zone: str = "UTC"
    thresholds: tuple[float, ...] = THRESHOLDS_DEFAULT
    estimate: Bound = "mid"
    hysteresis: float = HYSTERESIS_DEFAULT
    early_warning: bool = False
    cost_centre: str | None = None

    def __post_init__(self) -> None:
        problems = field_problems({field.name: getattr(self, field.name) for field in fields(self)})
        if problems:
            raise UsageError(f"budget {self.name!r}: " + "; ".join(problems))

    @property
    def window(self) -> timedelta | None:
        """The length of a rolling window; None for a calendar period."""
        return ROLLING_WINDOWS.get(self.period)

    @property
    def judged_by_range(self) -> bool:
        """Whether an end of the carbon range is held against the limit, and not an exact sum."""
        return self.unit == "gco2e" and self.estimate != "mid"

    def reached(self, threshold: float, amount: int) -> bool:
        """Whether `amount` (micro-units) is at or over `threshold`, without rounding: exactly at it counts."""
        ratio = exact(threshold)
        return amount * ratio.denominator >= ratio.numerator * self.limit

    def released(self, threshold: float, amount: int) -> bool:
        """Whether `amount` (micro-units) is below the threshold by more than the hysteresis, without rounding."""
        return amount < exact(threshold) * self.limit * (1 - exact(self.hysteresis))


@lru_cache(maxsize=4096)
def exact(ratio: float) -> Fraction:
    """The decimal number that was written, not the binary one it is stored as: `exact(0.8) == Fraction(4, 5)`."""
    return Fraction(repr(ratio))


def field_problems(values: Mapping[str, object]) -> list[str]:
    """One "field: what is wrong and what to do" per value that breaks its rule, in the order of the mapping.

    Only fields that are present are judged.
    """
    found = ((name, _CHECKS[name](value)) for name, value in values.items())
    problems = [f"{name}: {problem}" for name, problem in found if problem]
    if values.get("early_warning") is True and values.get("period") == "rolling-24h":
        problems.append(
            "early_warning: a window of 24 hours has no end to forecast and is too short for burn rates; leave it out, or"
            " choose another period"
        )
    return problems


def _name_problem(value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return "must be a non-empty text"
    if len(value) > NAME_LENGTH_MAX:
        return f"must have at most {NAME_LENGTH_MAX} characters, got {len(value)}"
    if value != value.strip() or not value.isprintable() or "/" in value:
        return "must be printable, without '/' and without blanks at its ends (it stands in addresses)"
    return None


def _id_problem(value: object) -> str | None:
    if not isinstance(value, str):
        return f"must be a text, got {value!r}; put it in quotes"
    if not 1 <= len(value) <= ID_LENGTH_MAX:
        return f"must have 1 to {ID_LENGTH_MAX} characters, got {len(value)}"
    # What no SQL text column and no UTF-8 message can carry.
    if any(character == "\0" or unicodedata.category(character) == "Cs" for character in value):
        return "must not contain a NUL or half of a surrogate pair"
    return None


def _optional_id_problem(value: object) -> str | None:
    return None if value is None else _id_problem(value)


def _budget_id_problem(value: object) -> str | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return None
    return f"must be an integer, got {value!r}"


def _limit_problem(value: object) -> str | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return f"must be an integer of micro-units, got {value!r}"
    return None if 1 <= value <= LIMIT_MAX else f"must be between 1 and {LIMIT_MAX} micro-units, got {value}"


def _time_zone_problem(value: object) -> str | None:
    if not isinstance(value, str):
        return f"must be an IANA time zone such as 'Europe/Berlin', got {value!r}"
    try:
        zone(value)
    except UsageError:
        return f"{value!r} is no IANA time zone; write it as in 'Europe/Berlin'"
    return None


def _thresholds_problem(value: object) -> str | None:
    if not isinstance(value, tuple) or not 1 <= len(value) <= THRESHOLDS_MAX:
        return f"must be 1 to {THRESHOLDS_MAX} ratios of the limit, got {value!r}"
    for threshold in value:
        if not isinstance(threshold, float) or not 0 < threshold <= THRESHOLD_MAX:
            return f"must be ratios above 0 and up to {THRESHOLD_MAX:g} (0.8 is 80 %), got {threshold!r}"
    if any(left >= right for left, right in pairwise(value)):
        return f"must ascend without repetition, got {value!r}"
    return None


def _hysteresis_problem(value: object) -> str | None:
    if isinstance(value, float) and math.isfinite(value) and 0 <= value < 1:
        return None
    return f"must be a ratio of at least 0 and below 1 (0.05 is 5 %), got {value!r}"


def _early_warning_problem(value: object) -> str | None:
    return None if isinstance(value, bool) else f"must be true or false, got {value!r}"


def _one_of(choices: tuple[str, ...]) -> Callable[[object], str | None]:
    def problem(value: object) -> str | None:
        return None if value in choices else f"must be one of {', '.join(choices)}, got {value!r}"

    return problem


_CHECKS: Mapping[str, Callable[[object], str | None]] = {
    "budget_id": _budget_id_problem,
    "name": _name_problem,
    "tenant_id": _id_problem,
    "team_id": _optional_id_problem,
    "project_id": _optional_id_problem,
    "user_id": _optional_id_problem,
    "model": _optional_id_problem,
    "limit": _limit_problem,
    "unit": _one_of(get_args(Unit)),
    "period": _one_of(get_args(PeriodName)),
    "time_zone": _time_zone_problem,
    "thresholds": _thresholds_problem,
    "estimate": _one_of(get_args(Bound)),
    "hysteresis": _hysteresis_problem,
    "early_warning": _early_warning_problem,
    "cost_centre": _optional_id_problem,
}
