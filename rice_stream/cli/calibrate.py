"""`rice-stream calibrate`: measurements of one's own become a site profile."""

import csv
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session, table
from rice_stream.cli.requests import described, open_table
from rice_stream.errors import UsageError
from rice_stream.estimator.loading import load_calibrated
from rice_stream.estimator.site import serialise_site
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.site_calibration import HardwareCalibration, Measured
from rice_stream.meter.site_calibration import calibrate as calibrate_rows
from rice_stream.runtime.opening import open_reference

J_PER_KWH = 3.6e6
_TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens")
ENERGY_COLUMNS = ("gpu_j_per_output_token", "gpu_j_per_request", "gpu_energy_kwh")


@click.command()
@click.argument("rows_file", metavar="CSV", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The site file to write.")
@click.option("--name", default="site", show_default=True, help="How the site is called in explanations.")
@json_option
@pass_session
def calibrate(session: Session, /, rows_file: Path, *, out: Path, name: str, as_json: bool) -> None:
    """Make a site profile from a table of measured rows; RICE_SITE_FILE then corrects every estimate of that hardware.

    Columns: `model` or `params_total_b`, `input_tokens`, `output_tokens` (means may be fractions), `hardware`, `batch_size`
    (mean), optionally `devices`, `precision`, `params_active_b`, `kv_bytes_per_token`, `cache_read_input_tokens`; and the
    energy of all GPUs as one of `gpu_j_per_output_token`, `gpu_j_per_request` (NVML's counter over a vLLM run, divided), or
    `gpu_energy_kwh` with `requests` (CodeCarbon's `gpu_energy` of a run).

    Example: rice-stream calibrate measured.csv --name pool-a --out site.json
    """
    method = load_calibrated()
    estimator = Estimator(open_reference(session.settings), session.settings.factor_policy(), method)
    found = calibrate_rows(list(_measured(rows_file)), estimator.at(time.time_ns() // 1000))
    content = serialise_site(name, method.version, rows_file.name, {one.hardware: one.factor for one in found})
    try:
        out.write_bytes(content)
    except OSError as error:
        raise UsageError(f"--out: cannot write {out}: {error.strerror}") from error
    document = {
        "name": name,
        "out": str(out),
        "method": method.version,
        "hardware": [_row(one) for one in found],
    }
    answer(document, as_json=as_json, human=lambda: _show(document))


def _measured(path: Path) -> Iterator[Measured]:
    with open_table(path) as reading:
        reader = csv.DictReader(reading)
        header = reader.fieldnames or []
        energies = [column for column in ENERGY_COLUMNS if column in header]
        if len(energies) != 1:
            raise UsageError(f"{path}: needs exactly one of the columns {', '.join(ENERGY_COLUMNS)}")
        if energies[0] == "gpu_energy_kwh" and "requests" not in header:
            raise UsageError(f"{path}: the column requests is missing: how many requests gpu_energy_kwh was for")
        for number, row in enumerate(reader, start=2):
            if None in row or None in row.values():
                raise UsageError(f"{path}, row {number}: has another number of cells than the header")
            where = f"{path}, row {number}"
            yield _measured_row(where, {str(key): str(value) for key, value in row.items()}, energies[0])


def _measured_row(where: str, row: dict[str, str], energy: str) -> Measured:
    label: Callable[[str], str] = partial("{}, column {}".format, where)
    cells = {name: _rounded(value) if name in _TOKENS else value for name, value in row.items()}
    try:
        request = described(cells, label)
    except UsageError as error:
        text = str(error)
        raise UsageError(text if text.startswith(where) else f"{where}: {text}") from error
    amount = _positive(row[energy], label(energy))
    if energy == "gpu_j_per_output_token":
        amount *= _positive(row["output_tokens"], label("output_tokens"))
    elif energy == "gpu_energy_kwh":
        amount *= J_PER_KWH / _positive(row["requests"], label("requests"))
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


def _row(one: HardwareCalibration) -> dict[str, Any]:
    return {
        "hardware": one.hardware,
        "rows": one.factor.rows,
        "models": one.factor.models,
        "factor": one.factor.factor,
        "error_before": one.error_before,
        "error_after": one.error_after,
        "error_left_out": one.error_left_out,
    }


def _show(document: dict[str, Any]) -> None:
    columns = ["hardware", "rows", "models", "factor", "error before", "after", "models left out"]
    table(columns, [list(row.values()) for row in document["hardware"]], title=f"site profile {document['name']}")
    STDERR.print(
        f"Wrote {document['out']}. Set RICE_SITE_FILE to it with RICE_METHOD=rice-calibrated. Errors are means of"
        " |predicted / measured - 1|; the last column predicts each model from the others' rows."
    )
