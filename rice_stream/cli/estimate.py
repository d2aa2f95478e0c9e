"""`rice-stream estimate`: one request, or a whole table of them."""

import csv
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, Progress, TextColumn

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session
from rice_stream.cli.csv_files import open_table, whole_file
from rice_stream.cli.request_options import option_name, served_options
from rice_stream.cli.tables import table
from rice_stream.errors import UsageError
from rice_stream.estimator.registry import METHOD_NAMES
from rice_stream.meter.described import Described, described
from rice_stream.meter.estimating import estimate_all, estimate_each
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.runtime.opening_estimator import open_estimator
from rice_stream.wording.plain_text import visible

IMPACTS, ENDS = ("embodied_gco2e", "water_l"), ("low", "mid", "high")
ADDED_COLUMNS = (
    "prefill_j",
    "decode_j",
    "gpu_energy_j",
    "gpu_energy_j_low",
    "gpu_energy_j_high",
    "it_energy_wh",
    "facility_energy_wh",
    "latency_s",
    *(f"carbon_gco2e_{end}" for end in ENDS),
    "basis",
    *(f"{name}_{end}" for name in IMPACTS for end in ENDS),
)
_ROWS_AT_ONCE = 20_000


@click.command()
@click.option("--model", help="Model name, in any of its spellings.")
@click.option("--params-total-b", metavar="X", help="Instead of a model: billions of parameters.")
@click.option("--params-active-b", metavar="Y", help="Active ones of a mixture of experts, in billions.")
@click.option("--kv-bytes-per-token", metavar="X")
@click.option("--input-tokens", metavar="N")
@click.option("--output-tokens", metavar="N")
@served_options
@click.option(
    "--csv", "csv_in", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A table of requests."
)
@click.option(
    "--out", "csv_out", type=click.Path(dir_okay=False, path_type=Path), help="Where the answers to --csv go."
)
@json_option
@pass_session
def estimate(
    session: Session,
    /,
    method_name: str | None,
    csv_in: Path | None,
    csv_out: Path | None,
    *,
    as_json: bool,
    **given: str | None,
) -> None:
    """Energy and carbon of one request before it is sent, or of every row of a table.

    Example: rice-stream estimate --model gpt-4o --input-tokens 2000 --output-tokens 300 --region azure:swedencentral

    Example: rice-stream estimate --csv requests.csv --out estimates.csv
    """
    settings = session.settings
    default_method, now_us = method_name or settings.method, time.time_ns() // 1000

    @cache
    def estimator_of(name: str) -> EstimatorAt:
        return open_estimator(settings, name).at(now_us)

    if csv_in is not None:
        if csv_out is None:
            raise UsageError("--csv needs --out: where the answers go")
        rows = _estimate_table(csv_in, csv_out, estimator_of, default_method)
        answer(
            {"rows": rows, "out": str(csv_out)},
            as_json=as_json,
            human=lambda: STDERR.print(f"{rows:,} rows estimated."),
        )
        return
    request = described(given, option_name)
    document = estimate_all([request], estimator_of(default_method))[0].values
    answer(document, as_json=as_json, human=lambda: _show(document))


def _estimate_table(source: Path, target: Path, estimator_of: Callable[[str], EstimatorAt], default_method: str) -> int:
    """Every row of the table with the answer behind it; all columns pass through as they are."""
    count = 0
    with (
        open_table(source) as reading,
        whole_file(target, "--out") as writing,
        Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), console=STDERR.console, transient=True
        ) as progress,
    ):
        reader = csv.reader(reading)
        header = next(reader, None)
        if not header:
            raise UsageError(f"{source}: has no header line")
        _check_header(source, header)
        writer = csv.writer(writing)
        writer.writerow([*header, *ADDED_COLUMNS])
        task = progress.add_task(f"Estimating {visible(source.name)}", total=None)
        numbered = enumerate(reader, start=2)
        while chunk := list(islice(_rows(source, header, numbered), _ROWS_AT_ONCE)):
            answers = estimate_each([(request, method or default_method) for _, request, method in chunk], estimator_of)
            writer.writerows([*cells, *_added(one.values)] for (cells, _, _), one in zip(chunk, answers, strict=True))
            count += len(chunk)
            progress.update(task, completed=count)
    return count


def _check_header(source: Path, header: list[str]) -> None:
    repeated = {name for name in header if header.count(name) > 1}
    if repeated:
        raise UsageError(f"{source}: the column {sorted(repeated)[0]!r} stands twice in the header")
    missing = [name for name in ("input_tokens", "output_tokens") if name not in header]
    if not {"model", "params_total_b"} & set(header):
        missing.append("model (or params_total_b)")
    if missing:
        raise UsageError(f"{source}: the header lacks the column(s) {', '.join(missing)}")


def _rows(
    source: Path, header: list[str], numbered: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[list[str], Described, str | None]]:
    for number, cells in numbered:
        if not cells:
            continue
        if len(cells) != len(header):
            raise UsageError(f"{source}, row {number}: has {len(cells)} cells, the header has {len(header)}")
        named = dict(zip(header, cells, strict=True))
        method = named.get("method", "").strip() or None
        if method is not None and method not in METHOD_NAMES:
            raise UsageError(
                f"{source}, row {number}, column method: {method!r} is not one of {', '.join(METHOD_NAMES)}"
            )
        try:
            request = described(named, partial(_cell_label, source, number))
        except UsageError as error:
            text = str(error)
            raise UsageError(text if text.startswith(str(source)) else f"{source}, row {number}: {text}") from error
        yield cells, request, method


def _cell_label(source: Path, row: int, column: str) -> str:
    return f"{source}, row {row}, column {column}"


def _added(values: dict[str, Any]) -> list[object]:
    flat = {**values, "basis": ";".join(values["basis"])}
    for name in ("carbon_gco2e", *IMPACTS):
        # Empty where the method does not know it.
        ends = values[name] or dict.fromkeys(ENDS, "")
        flat |= {f"{name}_{end}": ends[end] for end in ENDS}
    return [flat[name] for name in ADDED_COLUMNS]


def _impact_rows(document: dict[str, Any]) -> list[list[object]]:
    """Embodied carbon and water: lines of their own, never part of the carbon above them."""
    rows: list[list[object]] = []
    for name, label, unit in (("embodied_gco2e", "embodied, beside it", "gCO2e"), ("water_l", "water", "l")):
        ends = document[name]
        if ends is not None:
            rows.append([label, f"{ends['mid']:.4g} {unit} ({ends['low']:.4g} to {ends['high']:.4g})"])
    return rows


def _range_rows(document: dict[str, Any]) -> list[list[object]]:
    """What makes the range as wide as it is, largest first: what to tell so that it narrows."""
    parts = [f"{one['name']} {one['share']:.0%}" for one in document["contributions"] if one["share"] >= 0.005]
    return [["uncertain by", ", ".join(parts)]] if parts else []


def _show(document: dict[str, Any]) -> None:
    carbon = document["carbon_gco2e"]
    served = (
        f"{document['devices']:.3g} x {document['hardware']}, batch {document['batch_size']:g}, {document['precision']}"
    )
    rows: list[list[object]] = [
        ["model", document["model"] or "(given by its size)"],
        ["served on", served],
        ["prefill", f"{document['prefill_j']:.4g} J"],
        ["decode", f"{document['decode_j']:.4g} J"],
        [
            "devices together",
            f"{document['gpu_energy_j']:.4g} J ({document['gpu_energy_j_low']:.4g} to {document['gpu_energy_j_high']:.4g})",
        ],
        ["IT energy", f"{document['it_energy_wh']:.4g} Wh"],
        ["facility energy", f"{document['facility_energy_wh']:.4g} Wh (PUE {document['pue']:g})"],
        ["carbon intensity", f"{document['rci_gco2e_per_kwh']:g} gCO2e/kWh ({document['region']})"],
        ["carbon", f"{carbon['mid']:.4g} gCO2e ({carbon['low']:.4g} to {carbon['high']:.4g})"],
        *_range_rows(document),
        *_impact_rows(document),
        ["latency", f"{document['latency_s']:.3g} s"],
        ["rests on", ", ".join(document["basis"])],
        ["versions", f"{document['versions']['method']}, {document['versions']['factors']}"],
    ]
    table(["quantity", "value"], rows)
