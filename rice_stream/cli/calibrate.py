"""`rice-stream calibrate`: measurements of one's own become a site profile."""

import time
from pathlib import Path
from typing import Any

import click

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session
from rice_stream.cli.calibrate_durations import from_durations, show_durations
from rice_stream.cli.measured_tables import MeasuredTable, read_measured
from rice_stream.cli.tables import table
from rice_stream.errors import UsageError
from rice_stream.estimator.loading import load_calibrated
from rice_stream.estimator.site import serialise_site
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.site_calibration import HardwareCalibration
from rice_stream.meter.site_calibration import calibrate as calibrate_rows
from rice_stream.runtime.opening_reference import open_reference
from rice_stream.store.views import WINDOWS_S


@click.command()
@click.argument(
    "rows_file", metavar="[CSV]", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@click.option("--name", default="site", show_default=True, help="How the site is called in explanations.")
@click.option(
    "--set", "assignments", multiple=True, metavar="COLUMN=VALUE", help="What holds for every row that does not say it."
)
@click.option(
    "--runs",
    "runs_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What each run of a tracker served: a table with `run` (id, experiment or project) and the columns above.",
)
@click.option(
    "--from-ledger", is_flag=True, help="Learn batch sizes of open models on known hardware from recorded durations."
)
@click.option("--tenant", help="With --from-ledger: only this tenant's requests.")
@click.option(
    "--window",
    type=click.Choice(list(WINDOWS_S)),
    default="30d",
    show_default=True,
    help="With --from-ledger: until now.",
)
@json_option
@pass_session
def calibrate(
    session: Session,
    /,
    rows_file: Path | None,
    *,
    out: Path,
    name: str,
    assignments: tuple[str, ...],
    runs_file: Path | None,
    from_ledger: bool,
    tenant: str | None,
    window: str,
    as_json: bool,
) -> None:
    """Make a site profile from a table of measured rows; RICE_SITE_FILE then corrects every estimate of that hardware.

    Columns: `model` or `params_total_b`, `input_tokens`, `output_tokens` (means may be fractions), `hardware`, `batch_size`
    (mean), optionally `devices`, `precision`, `params_active_b`, `kv_bytes_per_token`, `cache_read_input_tokens`; and the
    energy of all GPUs as one of `gpu_j_per_output_token`, `gpu_j_per_request` (NVML's counter over a vLLM run, divided), or
    `gpu_energy_kwh` with `requests`; or that of the whole machine as `energy_kwh` with `requests`.

    CodeCarbon's emissions.csv and Eco2AI's emission.csv are read as they are: energy, duration, hardware, devices. CodeCarbon's is
    that of the GPUs, Eco2AI's of the machine. What they do not know (model, requests, tokens, batch size) comes from columns
    that you add, from --runs or from --set.

    Example: rice-stream calibrate measured.csv --name pool-a --out site.json

    With --from-ledger no table is needed: what open models on known hardware took for their answers says how many requests run
    together, which becomes profiles and overrides for the settings file. Closed models' times say nothing.

    Example: rice-stream calibrate emissions.csv --runs served.csv --set batch_size=16 --out site.json

    Example: rice-stream calibrate --from-ledger --window 30d --name pool --out serving.toml
    """
    if from_ledger == (rows_file is not None):
        raise UsageError("CSV: give a table of measured rows, or --from-ledger, not both")
    if rows_file is None:
        document = from_durations(session.settings, name=name, out=out, tenant=tenant, window=window)
        answer(document, as_json=as_json, human=lambda: show_durations(document))
        return
    method = load_calibrated()
    estimator = Estimator(open_reference(session.settings), session.settings.factor_policy(), method)
    measured = read_measured(rows_file, runs_file, assignments)
    found = calibrate_rows(measured.rows, estimator.at(time.time_ns() // 1000))
    content = serialise_site(
        name, method.version, _source(rows_file, measured), {one.hardware: one.factor for one in found}
    )
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


def _source(path: Path, measured: MeasuredTable) -> str:
    """What the site file says it rests on."""
    by = f"{measured.tracker}, " if measured.tracker else ""
    return f"{path.name} ({by}{' and '.join(measured.boundaries)})" if by or measured.of_machine else path.name


def _row(one: HardwareCalibration) -> dict[str, Any]:
    return {
        "hardware": one.hardware,
        "rows": one.factor.rows,
        "models": one.factor.models,
        "boundary": "+".join(one.boundaries),
        "factor": one.factor.factor,
        "error_before": one.error_before,
        "error_after": one.error_after,
        "error_left_out": one.error_left_out,
    }


def _show(document: dict[str, Any]) -> None:
    columns = ["hardware", "rows", "models", "metered", "factor", "error before", "after", "models left out"]
    table(columns, [list(row.values()) for row in document["hardware"]], title=f"site profile {document['name']}")
    STDERR.print(
        f"Wrote {document['out']}. Set RICE_SITE_FILE to it with RICE_METHOD=rice-calibrated. Errors are means of"
        " |predicted / measured - 1|; the last column predicts each model from the others' rows."
    )
