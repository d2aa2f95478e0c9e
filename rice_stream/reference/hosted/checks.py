"""Checks of the tables of hosted models: mixes that can be read, ordered ranges, places and evidence that exist."""

from collections.abc import Mapping, Sequence

from rice_stream.quantities import TOKENS_MAX
from rice_stream.reference.hosted.evidence import applies
from rice_stream.reference.hosted.hosts import ANY_HOST
from rice_stream.reference.hosted.mixes import Mix, read_mix
from rice_stream.reference.reading import Row

Tables = Mapping[str, Sequence[Row]]

_DAY = ("2000", "2200")
"""Evidence is of these years."""


def hosted_problems(tables: Tables) -> list[str]:
    """What does not fit, each naming file, row and column."""
    return [
        *_hosts(tables),
        *_capacity(tables),
        *_evidence(tables["evidence"]),
        *_evidence_models(tables),
    ]


def _hosts(tables: Tables) -> list[str]:
    places = {row.text("region_id") for row in tables["regions"]}
    hardware = {row.text("hardware") for row in tables["hardware"]}
    problems: list[str] = []
    for row in tables["hosts"]:
        for column, known, file_name in (("hardware", hardware, "hardware.csv"), ("regions", places, "regions.csv")):
            names = _mix(row, column, problems)
            problems += [
                f"{row.where}, column {column}: {name!r} has no row in {file_name}"
                for name, _ in names
                if name not in known
            ]
            if row.text(column) and not row.text(f"{column}_source"):
                problems.append(f"{row.where}, column {column}_source: it is needed where {column} is given")
        problems += _pue(row)
    if not any(row.text("provider") == ANY_HOST for row in tables["hosts"]):
        problems.append(f"hosts.csv: the last rung is missing: a row with provider {ANY_HOST}")
    return problems


def _mix(row: Row, column: str, problems: list[str]) -> Mix:
    try:
        return read_mix(row.text(column))
    except ValueError:
        shown = row.text(column)[:60]
        problems.append(
            f"{row.where}, column {column}: {shown!r} is not allowed; it holds names with shares above 0, each name once:"
            " H100=0.4|H200=0.6"
        )
        return ()


def _pue(row: Row) -> list[str]:
    low, mid, high = (row.optional_number(name) for name in ("pue_low", "pue", "pue_high"))
    if (low, mid, high) == (None, None, None):
        return []
    if low is None or mid is None or high is None:
        return [f"{row.where}, column pue: pue_low, pue and pue_high are given together or not at all"]
    problems = []
    if not low <= mid <= high:
        problems.append(f"{row.where}, column pue: pue_low <= pue <= pue_high is needed, got {low}, {mid}, {high}")
    if not row.text("pue_source"):
        problems.append(f"{row.where}, column pue_source: it is needed where pue is given")
    return problems


def _capacity(tables: Tables) -> list[str]:
    """Each place needs a value of its own, or the mix would hold the world that it is meant to describe."""
    known = {
        row.text("region_id")
        for row in tables["rci"]
        if (row.text("scope"), row.text("signal"), row.text("accounting")) == ("lifecycle", "average", "location")
    }
    problems = [
        f"{row.where}, column region_id: {row.text('region_id')!r} has no lifecycle row in rci.csv"
        for row in tables["capacity"]
        if row.text("region_id") not in known or row.text("region_id") == "world"
    ]
    if not tables["capacity"]:
        problems.append("capacity.csv: the last rung is missing: a row of at least one country")
    return problems


def _evidence(rows: Sequence[Row]) -> list[str]:
    by_id = {row.text("evidence_id"): row for row in rows}
    problems = []
    for row in rows:
        low, value, high = (row.optional_number(name) for name in ("low", "value", "high"))
        if (low is None) != (high is None) or (
            low is not None and high is not None and not low <= (value or 0) <= high
        ):
            problems.append(f"{row.where}, column value: low and high are given together, and low <= value <= high")
        if not _DAY[0] <= row.text("date")[:4] < _DAY[1]:
            problems.append(f"{row.where}, column date: {row.text('date')!r} does not begin with a year (2025-08)")
        problems += [
            f"{row.where}, column based_on: {name!r} has no row in evidence.csv"
            for name in _based_on(row)
            if name not in by_id
        ]
        problems += _disclosure(row)
        if _in_circle(row.text("evidence_id"), by_id):
            problems.append(f"{row.where}, column based_on: it rests on itself by way of {row.text('based_on')}")
    return problems


def _evidence_models(tables: Tables) -> list[str]:
    known = {row.text("model_id").lower() for row in tables["models"]}
    return [
        f"{row.where}, column models: {name!r} has no row in models.csv"
        for row in tables["evidence"]
        for name in filter(None, row.text("models").split("|"))
        if name.lower() not in known
    ]


def _disclosure(row: Row) -> list[str]:
    """A disclosure that moves estimates says of which tokens it is and how far off it may be."""
    kind, quantity, use = (row.text(name) for name in ("kind", "quantity", "use"))
    if kind == "disclosure" and not use and not row.overlaid:
        return [f"{row.where}, column use: a shipped disclosure says what it is used for"]
    if not applies(kind, quantity, use, overlaid=row.overlaid):
        return []
    problems = []
    if row.text("unit").lower() != "wh":
        problems.append(f"{row.where}, column unit: facility_energy is given in Wh, not {row.text('unit')!r}")
    if not row.text("models"):
        problems.append(f"{row.where}, column models: name the models (ids of models.csv) whose estimates it moves")
    counts = [row.optional_whole(f"total_{name}_tokens") or 0 for name in ("input", "cache_read_input", "output")]
    if counts[0] + counts[2] <= 0:
        problems.append(f"{row.where}, column total_output_tokens: give the tokens that the energy is of")
    if max(counts) > TOKENS_MAX:
        problems.append(
            f"{row.where}, column total_input_tokens: give energy and tokens of one request, not of a fleet"
        )
    if counts[1] > counts[0]:
        problems.append(
            f"{row.where}, column total_cache_read_input_tokens: more than the {counts[0]} input tokens in all"
        )
    if row.optional_number("log_sd") is None and row.optional_number("low") is None:
        problems.append(f"{row.where}, column log_sd: give it, or low and high, to say how far off the value may be")
    return problems


def _based_on(row: Row) -> list[str]:
    return [name for name in row.text("based_on").split("|") if name]


def _in_circle(start: str, by_id: Mapping[str, Row]) -> bool:
    """Whether following what a row is based on leads back to it."""
    left, seen = list(_based_on(by_id[start])), set[str]()
    while left:
        name = left.pop()
        if name == start:
            return True
        if name in by_id and name not in seen:
            seen.add(name)
            left += _based_on(by_id[name])
    return False
