"""Reads the measurements that `rice-calibrated` is fitted to and tested on, as rows of one kind.

Our own measurements are committed (training/data/gpu_measured_h100_h200.csv); third-party files are read from a folder
given on the command line. A row's `group` is what is left out together: all rows of the same weights or the same
architecture at the same size, whatever the data set, precision, fine-tune or hardware.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rice_stream.errors import ReferenceDataError, UsageError
from rice_stream.estimator.method import Context
from rice_stream.quantities import Range
from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference

DATA = Path(__file__).parent.parent / "data"
GPU_FILE, HARDWARE_FILE = "gpu_measured_h100_h200.csv", "calibrated_hardware.csv"
V3_FILE = "ml_energy/mlenergy_v3.csv"
AS_OF_US = 1_767_225_600_000_000
"""2026-01-01: the date as of which names are looked up, so that a later row for the same name changes no fit."""

PROMPT_TOKENS = {"lm-arena-chat": 200.0, "gpqa": 250.0, "sourcegraph-fim": 1600.0}
"""Mean prompt length of ML.ENERGY's text tasks. Not in the file: estimated from what the tasks are (single chat prompts;
graduate-level multiple-choice questions; code around a hole) and checked to matter little (docs/validation-calibrated.md)."""

GROUPS = {
    # our bench's random-weight stand-ins and the served models of the same architecture
    "llama-3.1-8b": "llama-3.1-8b",
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
    "llama-3.2-1b": "llama-3.2-1b",
}

PRECISIONS = {"bfloat16": "bf16", "float16": "fp16", "fp8": "fp8", "mxfp4": "mxfp4"}


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. `kind`: `decode` (one step of a batch), `prefill` (of a batch), `request` (per output token),
    `eager` (per decode step at batch 1), `board` (whole run at batch 1, seconds and server joules)."""

    source: str
    kind: str
    model: str
    group: str
    task: str
    context: Context
    input_tokens: float
    output_tokens: float
    joules: float | None
    seconds: float | None
    fitted: bool = True
    """False: predicted and judged, never fitted to, because its deployment is one that a request's columns do not tell."""


@dataclass(frozen=True, slots=True)
class Architecture:
    params_total_b: float
    params_active_b: float
    layers: float
    kv_bytes_per_token: float
    rotary: bool | None
    layer_operations: float | None
    routed_share: float | None
    state_bytes: float | None


def records(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """A CSV file's rows. Raises UsageError for a missing file, ReferenceDataError for a missing column."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise ReferenceDataError(f"{path.name}: column {missing[0]!r} is missing; take the file as published")
            return list(reader)
    except FileNotFoundError:
        raise UsageError(
            f"{path.name}: not found in the folder; give the folder that holds {path.parent.name}/"
        ) from None


def number(record: dict[str, str], column: str, path: str) -> float:
    """A cell as a number. Raises ReferenceDataError naming file, column and text."""
    try:
        return float(record[column])
    except ValueError:
        raise ReferenceDataError(f"{path}, column {column}: {record[column]!r} is not a number") from None


@cache
def _reference() -> Reference:
    return load_reference(None)


def find_architecture(model: str) -> Architecture | None:
    """What the shipped model table knows of a model (rice_stream/reference/data); None where it lacks layers or KV size."""
    found = _reference().resolve_model(None, model, None, AS_OF_US)
    if not found.known or found.layers is None or found.kv_bytes_per_token is None:
        return None
    total_b, active_b = found.params_total_b.mid, found.params_active_b.mid
    return Architecture(
        total_b,
        active_b,
        found.layers,
        found.kv_bytes_per_token,
        found.rotary,
        found.layer_operations,
        found.routed_share,
        found.state_bytes,
    )


def architecture(model: str) -> Architecture:
    """Raises ReferenceDataError for a model whose layers or KV size the table lacks."""
    found = find_architecture(model)
    if found is None:
        raise ReferenceDataError(f"models.csv: layers, kv_heads and head_dim of {model!r} are missing; add its row")
    return found


def gpu_rows() -> list[Row]:
    """Our measurements: decode steps and prefills of bare models on one H100 or H200, energy counter of the GPU."""
    return [
        _gpu_row(record) for record in records(DATA / GPU_FILE, ("gpu", "model", "phase", "gpu_joules", "kv_heads"))
    ]


def _gpu_row(record: dict[str, str]) -> Row:
    def value(column: str) -> float:
        return number(record, column, GPU_FILE)

    params_b, batch, decode = value("params_b"), value("batch_size"), record["phase"] == "decode"
    context = serving_context(
        layers=value("layers"),
        params=(params_b, params_b),
        hardware=record["gpu"],
        devices=1.0,
        batch_size=batch,
        precision="bf16",
        kv=value("layers") * value("kv_heads") * value("head_dim") * 4,
    )
    # One decode step at a context is the second output token of a prompt of that length.
    return Row(
        "gpu",
        record["phase"],
        record["model"],
        GROUPS.get(record["model"], record["model"]),
        record["phase"],
        context,
        value("context_tokens") if decode else value("prompt_tokens"),
        2.0 if decode else 1.0,
        value("gpu_joules") / batch,
        value("seconds"),
    )


def v3_rows(folder: Path) -> list[Row]:
    """ML.ENERGY v3, text tasks: vLLM serving on H100 and B200, joules of all GPUs per OUTPUT token, prompts included."""
    needed = (
        "model_id",
        "gpu_model",
        "avg_batch_size",
        "avg_output_len",
        "energy_per_token_joules",
        "median_itl_ms",
        "data_parallel",
        "task",
    )
    return [
        _v3_row(record, architecture(record["model_id"]))
        for record in records(folder / V3_FILE, needed)
        if record["task"] in PROMPT_TOKENS
    ]


def _v3_row(record: dict[str, str], known: Architecture) -> Row:
    def value(column: str) -> float:
        return number(record, column, V3_FILE)

    context = serving_context(
        layers=known.layers,
        params=(value("total_params_billions"), value("activated_params_billions")),
        hardware=record["gpu_model"],
        devices=value("num_gpus"),
        batch_size=value("avg_batch_size"),
        precision=PRECISIONS[record["weight_precision"]],
        kv=known.kv_bytes_per_token,
        rotary=known.rotary,
        layer_operations=known.layer_operations,
        routed_share=known.routed_share,
        state_bytes=known.state_bytes,
    )
    model = record["model_id"]
    size = f"{known.params_total_b:g}-{known.params_active_b:g}"
    return Row(
        "ml_energy_v3",
        "request",
        model,
        GROUPS.get(model, f"{model.split('/')[1].split('-')[0].lower()}-{size}"),
        record["task"],
        context,
        PROMPT_TOKENS[record["task"]],
        value("avg_output_len"),
        value("energy_per_token_joules"),
        value("median_itl_ms") / 1e3,
        # Each of several replicas holds all of attention and waits for the others' experts: not one batch on its devices.
        fitted=value("data_parallel") == 1,
    )


def serving_context(
    *,
    layers: float | None,
    params: tuple[float, float],
    hardware: str,
    devices: float,
    batch_size: float,
    precision: str,
    kv: float | None,
    rotary: bool | None = None,
    layer_operations: float | None = None,
    routed_share: float | None = None,
    state_bytes: float | None = None,
) -> Context:
    return Context(
        layers=layers,
        params_total_b=Range.exact(params[0]),
        params_active_b=Range.exact(params[1]),
        hardware=hardware,
        hardware_known=True,
        devices=devices,
        batch_size=batch_size,
        precision=precision,
        kv_bytes_per_token=kv,
        rotary=rotary,
        layer_operations=layer_operations,
        routed_share=routed_share,
        state_bytes=state_bytes,
    )


def groups(rows: Sequence[Row]) -> list[str]:
    return sorted({row.group for row in rows})


def leave_one_group_out(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row], list[Row]]]:
    """(group, rows to fit on, rows left out); a group is never on both sides."""
    for group in groups(rows):
        yield group, [row for row in rows if row.group != group], [row for row in rows if row.group == group]
