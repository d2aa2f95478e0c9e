"""Carries the figures that `rice-paper` and the comparison with other tools rest on: `python -m training.carry DIR`.

Only figures are kept (names, counts, measurements), under names that carry units; training/data/SOURCES.md says where
each file comes from and under which licence. Training and tests read the carried files, so they run from a clean clone;
`python -m training.validate DIR` checks that they still say what the published files say.
"""

import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rice_stream.errors import ReferenceDataError, UsageError
from training.figures import DATA

Row = dict[str, str]

CARRIED: dict[str, tuple[str, dict[str, str]]] = {
    # our file: (published file, {our column: published column})
    "helm_prefill.csv": (
        "helm/helm_prompt_latency.csv",
        {
            "model": "model",
            "params_b": "params_B",
            "prompt_tokens": "prompt_tokens",
            "prefill_s": "latency_s",
            "curve": "same_curve_as",
        },
    ),
    "ten_models.csv": (
        "helm/ten_models.csv",
        {"model": "model", "params_b": "N", "devices": "gpus", "beta_s_per_token": "beta"},
    ),
    "llm_perf_2024_02.csv": (
        "llm_perf/llmperf_2024-02_bf16_none_none.csv",
        {
            "model": "Model",
            "params_b": "Params (B)",
            "latency_s": "E2E Latency (s)",
            "tokens_per_kwh": "Energy (tokens/kWh)",
        },
    ),
    "llm_perf_2026_01.csv": (
        "llm_perf/llmperf_dataset_2026-01.csv",
        {
            "model": "model",
            "params_b": "params_B",
            "precision": "dtype",
            "attention": "attn",
            "input_tokens": "prompt_tokens",
            "output_tokens": "new_tokens",
            "prefill_s": "prefill_s",
            "decode_s": "decode_s",
            "prefill_gpu_j": "prefill_gpu_J",
            "decode_gpu_j": "decode_gpu_J",
        },
    ),
    "ml_energy_v3.csv": (
        "ml_energy/mlenergy_v3.csv",
        {
            "model": "model_id",
            "gpu": "gpu_model",
            "devices": "num_gpus",
            "params_total_b": "total_params_billions",
            "params_active_b": "activated_params_billions",
            "precision": "weight_precision",
            "batch_size": "avg_batch_size",
            "output_tokens": "avg_output_len",
            "gpu_j_per_output_token": "energy_per_token_joules",
            "task": "task",
        },
    ),
    # The same rows as above, in files of their own: the artefact of `rice-paper` carries the digest of the files above.
    "llm_perf_2026_01_host.csv": (
        "llm_perf/llmperf_dataset_2026-01.csv",
        {
            "model": "model",
            "decode_s": "decode_s",
            "decode_gpu_j": "decode_gpu_J",
            "decode_cpu_j": "decode_cpu_J",
            "decode_ram_j": "decode_ram_J",
        },
    ),
    "ml_energy_v3_runs.csv": (
        "ml_energy/mlenergy_v3.csv",
        {"model": "model_id", "output_tokens_per_s": "output_throughput_tokens_per_sec", "task": "task"},
    ),
}

TEXT_TASKS = ("gpqa", "lm-arena-chat", "sourcegraph-fim")


def _kept(name: str, row: Row) -> bool:
    """Which published rows belong in our file; everything else in the file is another experiment."""
    if name == "llm_perf_2024_02.csv":
        # The leaderboard prints 0.0 where it did not know the parameters (and for models under 5 million).
        return float(row["Params (B)"]) > 0
    if name.startswith("llm_perf_2026_01"):
        return "A100" in row["gpu"] and row["quant"] == "" and row["dtype"] in ("float16", "bfloat16")
    if name.startswith("ml_energy_v3"):
        return row["task"] in TEXT_TASKS
    return True


def _figure(text: str) -> str:
    """A number with at most six significant digits (more were not measured), anything else as it stands."""
    try:
        value = float(text)
    except ValueError:
        return text
    return text if len(text) <= 7 else f"{value:.6g}"


def carried_rows(published_dir: Path, name: str) -> Iterator[Row]:
    """The rows of our file `name`, made from the published file under `published_dir`.

    Raises UsageError if the published file is missing and ReferenceDataError if it lacks a column.
    """
    source, columns = CARRIED[name]
    path = published_dir / source
    if not path.is_file():
        raise UsageError(f"{path} is missing: give the folder that holds {source}")
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        missing = set(columns.values()) - set(reader.fieldnames or ())
        if missing:
            raise ReferenceDataError(f"{path} has no column {', '.join(sorted(missing))}")
        for row in reader:
            if _kept(name, row):
                yield {ours: _figure(row[theirs]) for ours, theirs in columns.items()}


def write_csv(path: Path, columns: Iterable[str], rows: Iterable[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m training.carry DIR   (the folder that holds helm/, llm_perf/ and ml_energy/)")
        return 2
    for name, (_, columns) in CARRIED.items():
        write_csv(DATA / name, columns, carried_rows(Path(arguments[0]), name))
        print(f"wrote {DATA / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
