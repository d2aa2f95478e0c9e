"""Rows of a site's own measurements, for `rice-stream calibrate`: a described request and the energy of its GPUs. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rice_stream.errors import UsageError
from rice_stream.meter.described import Described, described

ENERGY_COLUMNS = ("gpu_j_per_output_token", "gpu_j_per_request", "gpu_energy_kwh")
J_PER_KWH = 3.6e6
_TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens")


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured row: `gpu_j` is the energy of all its GPUs for ONE request, in joules. `where` names file and row."""

    where: str
    request: Described
    gpu_j: float


def energy_column(columns: Sequence[str], where: str) -> str:
    """Which of ENERGY_COLUMNS a table has. UsageError, naming the table `where`: none or several, or no `requests` beside kWh."""
    energies = [column for column in ENERGY_COLUMNS if column in columns]
    if len(energies) != 1:
        raise UsageError(f"{where}: needs exactly one of the columns {', '.join(ENERGY_COLUMNS)}")
    if energies[0] == "gpu_energy_kwh" and "requests" not in columns:
        raise UsageError(f"{where}: the column requests is missing: how many requests gpu_energy_kwh was for")
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
    elif energy == "gpu_energy_kwh":
        amount *= J_PER_KWH / _positive(cells["requests"], label("requests"))
    return Measured(where, request, amount)


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
