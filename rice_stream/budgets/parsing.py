"""Budgets from what a user wrote: command line options, an API body or a YAML file, already loaded."""

import difflib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from rice_stream.budgets.definition import LIMIT_MAX, MICRO_UNITS, Budget, Unit, field_problems
from rice_stream.errors import UsageError

LIMIT_FIELDS: Mapping[str, Unit] = {"limit_gco2e": "gco2e", "limit_kwh": "kwh"}
REQUIRED_FIELDS = ("name", "tenant_id", "period")
OPTIONAL_FIELDS = (
    *("team_id", "project_id", "user_id", "model", "time_zone", "thresholds", "estimate", "hysteresis"),
    *("early_warning", "cost_centre"),
)
FIELDS = (*REQUIRED_FIELDS, *LIMIT_FIELDS, *OPTIONAL_FIELDS)


def parse_budget(mapping: Mapping[str, object]) -> Budget:
    """A budget from its fields as a user writes them; a field that is absent or None takes its default.

    Exactly one of `limit_gco2e` (grams CO2e) and `limit_kwh` (facility energy) gives the limit, as a number or its
    text; it is rounded to the nearest stored micro-unit. `thresholds` come in any order.

    Raises:
        UsageError: one message that lists every problem, each with its field.
    """
    values, problems = _values(mapping)
    if problems:
        raise UsageError(f"budget {mapping.get('name')!r}: " + "; ".join(problems))
    return Budget(**values)  # type: ignore[arg-type]  # every value has just passed its field's check


def budget_fields(budget: Budget) -> dict[str, object]:
    """The fields as a user writes them, with which `parse_budget` makes the same budget; the limit is an exact decimal."""
    limit_field = next(name for name, unit in LIMIT_FIELDS.items() if unit == budget.unit)
    limit = Decimal(budget.limit) / MICRO_UNITS[budget.unit]
    return {
        **{name: getattr(budget, name) for name in (*REQUIRED_FIELDS, *OPTIONAL_FIELDS)},
        "thresholds": list(budget.thresholds),
        limit_field: f"{limit:f}",
    }


def parse_budget_file(loaded: object) -> list[Budget]:
    """The budgets of a loaded YAML file: a list of mappings, or a mapping whose one key `budgets` holds that list.

    Raises:
        UsageError: one message that lists every problem of every budget, as "budgets[2].period: ...".
    """
    entries = entries_of(loaded, "budgets", "budget file")
    budgets: list[Budget] = []
    problems: list[str] = []
    first_seen: dict[tuple[object, object], int] = {}
    for index, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            problems.append(f"budgets[{index}]: must be a mapping of fields, got {entry!r}")
            continue
        values, found = _values(entry)
        problems += [f"budgets[{index}].{problem}" for problem in found]
        if found:
            continue
        budget = Budget(**values)  # type: ignore[arg-type]  # every value has just passed its field's check
        other = first_seen.setdefault((budget.tenant_id, budget.name), index)
        if other != index:
            problems.append(f"budgets[{index}].name: {budget.name!r} is already the name of budgets[{other}]")
        budgets.append(budget)
    if problems:
        raise UsageError("budget file: " + "; ".join(problems))
    return budgets


def entries_of(loaded: object, key: str, file: str) -> list[object]:
    """The list that a file holds, by itself or under its one key. UsageError, which names the `file`: it holds something else."""
    if isinstance(loaded, Mapping):
        unknown = [name for name in loaded if name != key]
        if unknown or key not in loaded:
            raise UsageError(f"{file}: must hold the one key '{key}' with a list, got {[*loaded]!r}")
        loaded = loaded[key]
    if not isinstance(loaded, list):
        raise UsageError(f"{file}: must be a list of {key}, or a mapping with the key '{key}' that holds one")
    return loaded


def _values(mapping: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """The budget's fields in their stored types, and every problem found."""
    given = {name: value for name, value in mapping.items() if value is not None}
    problems = [_unknown_field(name) for name in given if name not in FIELDS]
    problems += [f"{name}: is missing" for name in REQUIRED_FIELDS if name not in given]
    limit, limit_problems = _limit(given)
    problems += limit_problems
    values = {name: given[name] for name in (*REQUIRED_FIELDS, *OPTIONAL_FIELDS) if name in given}
    if "thresholds" in values:
        values["thresholds"] = _ratios(values["thresholds"])
    if "hysteresis" in values:
        values["hysteresis"] = _ratio(values["hysteresis"])
    problems += field_problems(values)
    return {**values, **limit}, problems


def _unknown_field(name: object) -> str:
    close = difflib.get_close_matches(str(name), FIELDS, n=1)
    return f"{name}: is no field of a budget" + (f"; did you mean {close[0]}?" if close else "")


def _limit(given: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    named = [name for name in LIMIT_FIELDS if name in given]
    if len(named) != 1:
        count = "both are given" if named else "both are missing"
        return {}, [f"limit_gco2e, limit_kwh: exactly one is needed, {count}"]
    name = named[0]
    unit = LIMIT_FIELDS[name]
    number = _decimal(given[name])
    scale = MICRO_UNITS[unit]
    if number is None or not number.is_finite():
        return {}, [f"{name}: must be a number, got {given[name]!r}"]
    if number > Decimal(LIMIT_MAX) / scale:
        return {}, [f"{name}: must be at most {LIMIT_MAX // scale}, got {given[name]!r}"]
    limit = int((number * scale).to_integral_value()) if number > 0 else 0
    if limit < 1:
        return {}, [f"{name}: must be above 0 (at least {Decimal(1) / scale:f}), got {given[name]!r}"]
    return {"limit": limit, "unit": unit}, []


def _decimal(value: object) -> Decimal | None:
    """The number as it was written, so that 0.1 is a tenth; None where it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _ratios(value: object) -> object:
    """Ratios sorted, each once; anything else as it is, for the field's check to name."""
    if not isinstance(value, list | tuple):
        return value
    ratios = tuple(_ratio(item) for item in value)
    numbers = [ratio for ratio in ratios if isinstance(ratio, float)]
    return tuple(sorted(set(numbers))) if len(numbers) == len(ratios) else ratios


def _ratio(value: object) -> object:
    number = _decimal(value)
    return value if number is None or number.is_nan() else float(number)
