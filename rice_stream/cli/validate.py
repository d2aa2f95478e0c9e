"""`rice-stream validate`: the validation reports and the acceptance table, computed from the published data."""

import importlib
import sys
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from rice_stream.cli.base import BAD_NEWS, STDERR, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.errors import UsageError


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
@pass_session
def validate(session: Session, /, folder: Path, *, as_json: bool) -> None:
    """Fit rice-calibrated without each model in turn, write docs/validation*.md, and print what must be reached.

    DIR holds the published files (helm/, llm_perf/, ml_energy/). It takes one to three minutes. Exit code 1 where a target is
    missed, or where the fit no longer gives the shipped artefact. It runs from the source checkout, with the extra `training`.

    Example: rice-stream validate data
    """
    modules = ("calibrated.run", "validate", "calibrated.report", "calibrated.targets", "rivals.findings")
    calibrated, paper, report, targets, rivals = (_training(name) for name in modules)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=STDERR.console,
        transient=True,
    ) as progress:
        step = progress.add_task("rice-calibrated: fits without each model in turn", total=None)
        paper.check_carried(folder)
        fitted = calibrated.run(folder)
        written = [report.write_report(fitted)]
        progress.update(step, description="rice-paper and other tools: figures, splits, plots")
        written.append(paper.write_report(folder, fitted))
    reached = targets.reached(fitted)
    same = calibrated.shipped() == fitted.artefact
    ok = same and all(one.met for one in reached)
    document = {
        "ok": ok,
        "artefact_rebuilt": same,
        "targets": [_row(one) for one in reached],
        "tools": rivals.side_by_side(fitted),
        "written": [str(path) for path in written],
    }
    answer(document, as_json=as_json, human=lambda: _show(document))
    if not ok:
        sys.exit(BAD_NEWS)


def _training(name: str) -> Any:
    try:
        return importlib.import_module(f"training.{name}")
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"validate needs the source checkout and the extra `training` ({missing.name} is missing):"
            " clone the repository, then `make setup`"
        ) from missing


def _row(one: Any) -> dict[str, Any]:
    return {
        "data": one.data,
        "measure": one.measure,
        "at_least": one.least,
        "at_most": one.limit,
        "value": one.value,
        "median_at_most": one.median_limit,
        "median": one.median,
        "bias": one.bias,
        "rows": one.rows,
        "met": one.met,
    }


def _show(document: dict[str, Any]) -> None:
    columns = ["data", "measure", "at most %", "left out %", "median %", "bias %", "rows", "met"]
    names = ("data", "measure", "at_most", "value", "median", "bias", "rows")
    rows = [[*(row[name] for name in names), "yes" if row["met"] else "NO"] for row in document["targets"]]
    table(columns, rows, title="rice-calibrated, every model left out of the fit that predicts it")
    tools = document["tools"]
    table(
        ["tool", *(one["data"] for one in tools[0]["errors"])],
        [[tool["tool"], *(_percent(one["mape"]) for one in tool["errors"])] for tool in tools],
        title="mean absolute error of all that predict, on the same rows (docs/validation.md, section 8)",
    )
    state = (
        "the fit gives the shipped artefact" if document["artefact_rebuilt"] else "the fit DIFFERS from the artefact"
    )
    STDERR.print(f"{state}; wrote {', '.join(document['written'])}")


def _percent(share: float | None) -> str:
    return "says nothing" if share is None else f"{100 * share:,.0f} %"
