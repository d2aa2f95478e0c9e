"""Files that CodeCarbon (`emissions.csv`) and Eco2AI (`emission.csv`) write: their rows as measured rows. Pure.

A tracker knows energy, duration and accelerator of a run. It does not know what was served: model, tokens and batch size come
from columns that the user adds, from a table of runs, or from values that hold for every row.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rice_stream.errors import UsageError

ADDED_COLUMNS = (
    "model",
    "params_total_b",
    "params_active_b",
    "requests",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "batch_size",
    "latency_s",
    "precision",
    "kv_bytes_per_token",
    "hardware",
    "devices",
    "profile",
)
"""What the user may say of a run. `hardware` and `devices` stand before what the tracker saw (it counts every device it sees)."""
NEEDED_COLUMNS = ("requests", "input_tokens", "output_tokens", "batch_size")
RUN = "run"
"""The column of a table of runs that names the tracker's run."""

_CODECARBON_GPUS = re.compile(r"(?P<devices>\d+) x (?P<hardware>.+)")
_ECO2AI_ENERGY = ("power_consumption(kWh)", "power_consumption(kWTh)")
"""The second is how its first releases wrote it."""
_ECO2AI_GPUS = re.compile(r"(?P<hardware>.*?) ?(?P<devices>\d+) device\(s\)")

Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Tracker:
    """One tracker's file: the columns that tell it, those that name a run (most specific first), and how a row is read.

    One column of each group of `told_by` is in the file: releases spell some differently.
    """

    name: str
    told_by: tuple[tuple[str, ...], ...]
    names_run: tuple[str, ...]
    read: Callable[[Cells, str], dict[str, str]]


def tracker_of(columns: Sequence[str]) -> Tracker | None:
    """The tracker that wrote a table with these columns; None where none did."""
    return next(
        (one for one in TRACKERS if all(any(name in columns for name in names) for names in one.told_by)),
        None,
    )


def energy_of(tracker: Tracker, columns: Sequence[str]) -> str:
    """The energy column (`measured_rows.ENERGY_COLUMNS`) that this tracker's rows are read as."""
    return "gpu_energy_kwh" if tracker is CODECARBON and "gpu_energy" in columns else "energy_kwh"


def measured_cells(
    tracker: Tracker, cells: Cells, where: str, run: Cells | None = None, every: Cells | None = None
) -> dict[str, str]:
    """A tracker's row in the columns of a measured row.

    What is said closest to the row holds: its own cells, then those of its `run`, then those for `every` row, then the tracker's.

    Raises:
        UsageError: names file and row (`where`) and what to add.
    """
    said: dict[str, str] = {}
    for source in (every or {}, run or {}, cells):
        said |= {name: source[name] for name in ADDED_COLUMNS if source.get(name, "").strip()}
    found = {**tracker.read(cells, where), **said}
    if "batch_size" not in found and "latency_s" in found and "requests" in found:
        found["batch_size"] = _mean_batch(found, where)
    if not found.get("hardware"):
        raise UsageError(f"{where}: {tracker.name} names no accelerator; {how_to_add('hardware')}")
    missing = [name for name in NEEDED_COLUMNS if name not in found]
    if "model" not in found and "params_total_b" not in found:
        missing.insert(0, "model")
    if missing:
        # The mean latency of a request stands in for the batch: it is what a client's log has.
        hint = " (or latency_s, the mean of one request)" if "batch_size" in missing else ""
        raise UsageError(
            f"{where}: {tracker.name} does not know {', '.join(missing)}{hint} (tokens are means of one request);"
            f" {how_to_add(missing[0])}"
        )
    return found


def _mean_batch(found: Cells, where: str) -> str:
    """How many requests were in work on average: those of the run x mean latency / duration (Little's law), at least one."""
    requests, latency_s = (_number(found, name, where) for name in ("requests", "latency_s"))
    duration_s = _number(found, "duration_s", where)
    if min(requests, latency_s, duration_s) <= 0:
        raise UsageError(f"{where}: batch_size follows from requests x latency_s / duration: each must be above 0")
    return repr(max(1.0, requests * latency_s / duration_s))


def how_to_add(column: str) -> str:
    """What to do about a column that a tracker's file lacks."""
    return (
        f"add the column {column} to the file, or say it for all rows with --set {column}=VALUE,"
        f" or for each run in a table with the columns {RUN} and {column} (--runs)"
    )


def run_names(tracker: Tracker, cells: Cells) -> Iterator[str]:
    """The names of a row's run, most specific first; blank ones are left out."""
    for column in tracker.names_run:
        name = _text(cells, column)
        if name:
            yield name


def run_of(tracker: Tracker, cells: Cells, runs: Mapping[str, Cells], where: str, table: str) -> tuple[str, Cells]:
    """The line of the table of runs that describes a row: name and cells. UsageError where no line names it."""
    names = list(run_names(tracker, cells))
    for name in names:
        if name in runs:
            return name, runs[name]
    raise UsageError(
        f"{where}: no line of {table} names this run; its column {RUN} must be one of"
        f" {', '.join(repr(name) for name in names) or 'its names, and it has none'}"
    )


def _codecarbon(cells: Cells, where: str) -> dict[str, str]:
    found = {"duration_s": cells["duration"], **_devices(_CODECARBON_GPUS, "gpu_model", cells, where)}
    pue = _number(cells, "pue", where) if _text(cells, "pue") else 1.0
    if "gpu_energy" not in cells:
        found["energy_kwh"] = repr(_number(cells, "energy_consumed", where) / (pue or 1.0))
        return found
    energy_kwh = _number(cells, "gpu_energy", where)
    if energy_kwh <= 0:
        raise UsageError(
            f"{where}, column gpu_energy: is {cells['gpu_energy'] or 'empty'}: CodeCarbon saw no accelerator; run it where NVIDIA's"
            " or AMD's library sees one, or leave the row out"
        )
    # CodeCarbon multiplies each energy with the PUE that it was told (codecarbon/emissions_tracker.py).
    found["gpu_energy_kwh"] = repr(energy_kwh / (pue or 1.0))
    return found


def _eco2ai(cells: Cells, where: str) -> dict[str, str]:
    found = {"duration_s": cells["duration(s)"], **_devices(_ECO2AI_GPUS, "GPU_name", cells, where)}
    if found.get("devices", "0") == "0":
        raise UsageError(
            f"{where}, column GPU_name: is {cells['GPU_name']!r}: Eco2AI saw no accelerator; run it where NVIDIA's library"
            " sees one, or leave the row out"
        )
    found["energy_kwh"] = next(cells[column] for column in _ECO2AI_ENERGY if column in cells)
    return found


def _devices(pattern: re.Pattern[str], column: str, cells: Cells, where: str) -> dict[str, str]:
    text = _text(cells, column)
    matched = pattern.fullmatch(text)
    if not matched:
        return {"hardware": text} if text else {}
    if " x " in matched["hardware"]:
        raise UsageError(
            f"{where}, column {column}: {text!r} names several kinds of accelerators; track one kind a run (CodeCarbon: gpu_ids)"
        )
    return {"hardware": matched["hardware"].strip(), "devices": matched["devices"]}


def _number(cells: Cells, column: str, where: str) -> float:
    text = _text(cells, column)
    try:
        return float(text or 0)
    except ValueError:
        raise UsageError(f"{where}, column {column}: {text!r} is not a number") from None


def _text(cells: Cells, column: str) -> str:
    """A cell's text; blank for a column that is not there and for what pandas writes where nothing is."""
    text = cells.get(column, "").strip()
    return "" if text.lower() in ("nan", "n/a", "none") else text


CODECARBON = Tracker(
    "CodeCarbon",
    (("duration",), ("energy_consumed",), ("project_name", "task_name", "run_id")),
    ("run_id", "task_name", "experiment_id", "project_name"),
    _codecarbon,
)
ECO2AI = Tracker(
    "Eco2AI",
    (("duration(s)",), _ECO2AI_ENERGY, ("GPU_name",)),
    ("id", "experiment_description", "project_name"),
    _eco2ai,
)
TRACKERS = (CODECARBON, ECO2AI)
