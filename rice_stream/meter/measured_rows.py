"""Rows of a site's own measurements, for `rice-stream calibrate`: a described request and the energy it took. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rice_stream.errors import UsageError
from rice_stream.meter.described import Described, described

ENERGY_COLUMNS = ("gpu_j_per_output_token", "gpu_j_per_request", "gpu_energy_kwh", "energy_kwh")
"""The last is of the whole machine (accelerators, processors, memory); the others are of the accelerators alone."""
GPU, MACHINE = "gpu", "machine"
"""What a measurement is of."""
J_PER_KWH = 3.6e6
_TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens")


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured row: `joules` for ONE request, of all its GPUs or of the machine (`boundary`). `where` names file and row.

    `mean_w` is the draw of all its GPUs over the run, where its duration is known.
    """

    where: str
    request: Described
    joules: float
    boundary: str = GPU
    mean_w: float | None = None


def energy_column(columns: Sequence[str], where: str) -> str:
    """Which of ENERGY_COLUMNS a table has. UsageError, naming the table `where`: none or several, or no `requests` beside kWh."""
    energies = [column for column in ENERGY_COLUMNS if column in columns]
    if len(energies) != 1:
        raise UsageError(f"{where}: needs exactly one of the columns {', '.join(ENERGY_COLUMNS)}")
    if energies[0].endswith("_kwh") and "requests" not in columns:
        raise UsageError(f"{where}: the column requests is missing: how many requests {energies[0]} was for")
    return energies[0]


def measured_row(cells: Mapping[str, str], energy: str, where: str) -> Measured:
    """A row from its texts by column; `energy` is its energy column. UsageError names row (`where`) and column."""

    def label(column: str) -> str:
        return f"{where}, column {column}"

    values = {name: _rounded(cell) if name in _TOKENS else cell for name, cell in cells.items()}
    try:
        request = described(values, label)
    except UsageError as error:
        text = str(error)
        raise UsageError(text if text.startswith(where) else f"{where}: {text}") from error
    amount = _positive(cells[energy], label(energy))
    if energy == "gpu_j_per_output_token":
        amount *= _positive(cells["output_tokens"], label("output_tokens"))
    if not energy.endswith("_kwh"):
        return Measured(where, request, amount)
    measured = Measured(where, request, amount * J_PER_KWH / _positive(cells["requests"], label("requests")))
    if energy == "energy_kwh":
        # A machine is measured while it works: profiles that carry a share of idle machines would count that twice.
        return replace(measured, boundary=MACHINE, request=replace(request, profile=request.profile or "batch1"))
    if cells.get("duration_s", "").strip():
        return replace(measured, mean_w=amount * J_PER_KWH / _positive(cells["duration_s"], label("duration_s")))
    return measured


def _rounded(cell: str) -> str:
    """A mean of token counts as a whole number; anything else as it is, to be refused with its text."""
    try:
        return f"{float(cell):.0f}"
    except ValueError:
        return cell


def _positive(cell: str, label: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise UsageError(f"{label}: {cell!r} is not a number above 0")
    return number
