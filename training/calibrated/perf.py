"""Reads LLM-Perf: batch 1 on A100 in the eager runtime, as rows of `training.calibrated.rows`."""

import statistics
from collections.abc import Callable
from pathlib import Path

from rice_stream.errors import ReferenceDataError
from training.calibrated.rows import PRECISIONS, Row, find_architecture, number, records, serving_context

PERF26_FILE = "llm_perf/llmperf_dataset_2026-01.csv"
PERF24_FILE = "llm_perf/llmperf_2024-02_bf16_none_none.csv"


def perf26_rows(folder: Path) -> list[Row]:
    """LLM-Perf 2026-01: A100-80GB, 16 bit, unquantised, batch 1, 256 -> 64 tokens, eager transformers; GPU joules per step."""
    needed = ("model", "gpu", "dtype", "quant", "prefill_s", "decode_s", "prefill_gpu_J", "decode_gpu_J", "params_B")
    rows = []
    for record in records(folder / PERF26_FILE, needed):
        if record["quant"] or record["dtype"] not in PRECISIONS:
            continue
        common = _perf_common(record["model"], number(record, "params_B", PERF26_FILE), PRECISIONS[record["dtype"]])
        steps = number(record, "new_tokens", PERF26_FILE) - 1
        rows.append(
            common(
                "llm_perf_2026",
                "eager",
                64.0,
                number(record, "decode_gpu_J", PERF26_FILE) / steps,
                number(record, "decode_s", PERF26_FILE) / steps,
            )
        )
        prefill_j, prefill_s = number(record, "prefill_gpu_J", PERF26_FILE), number(record, "prefill_s", PERF26_FILE)
        rows.append(common("llm_perf_2026", "eager_prefill", 1.0, prefill_j, prefill_s))
    return rows


def quantised_extra(folder: Path) -> tuple[float, float]:
    """Extra (joules, seconds) per decode step of 4- and 8-bit weights (bitsandbytes) over 16 bit on A100 at batch 1, as shares.

    Medians over the models that LLM-Perf 2026-01 measured both ways. GPTQ rows (2 to 11 times) are left out: their kernels are
    known to fall back to slow ones in that set-up.
    """
    needed = ("model", "gpu", "dtype", "quant", "decode_s", "decode_gpu_J")
    by_kind: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for record in records(folder / PERF26_FILE, needed):
        if "A100" in record["gpu"] and record["dtype"] in PRECISIONS and record["quant"] in ("", "bnb"):
            pair = (number(record, "decode_gpu_J", PERF26_FILE), number(record, "decode_s", PERF26_FILE))
            by_kind.setdefault((record["model"], record["quant"]), []).append(pair)
    both = sorted(model for model, quant in by_kind if quant == "bnb" and (model, "") in by_kind)
    if not both:
        raise ReferenceDataError(f"{PERF26_FILE}: no model has both 16-bit and bnb rows on A100")
    extra = [
        statistics.median(
            statistics.median(pair[part] for pair in by_kind[model, "bnb"])
            / statistics.median(pair[part] for pair in by_kind[model, ""])
            for model in both
        )
        - 1.0
        for part in (0, 1)
    ]
    return max(extra[0], 0.0), max(extra[1], 0.0)


def perf24_rows(folder: Path) -> list[Row]:
    """LLM-Perf 2024-02, the paper's validation set: A100-80GB capped at 275 W, bf16, batch 1, 256 -> 256 tokens, whole runs.

    Joules are of GPU, CPU and RAM (CodeCarbon). Rows whose parameter count the page prints as 0 are left out.
    """
    needed = ("Model", "Params (B)", "E2E Latency (s)", "Energy (tokens/kWh)")
    rows = []
    for record in records(folder / PERF24_FILE, needed):
        params_b = number(record, "Params (B)", PERF24_FILE)
        if params_b <= 0:
            continue
        common = _perf_common(record["Model"], params_b, "bf16")
        joules = 256 * 3.6e6 / number(record, "Energy (tokens/kWh)", PERF24_FILE)
        rows.append(common("llm_perf_2024", "board", 256.0, joules, number(record, "E2E Latency (s)", PERF24_FILE)))
    return rows


def _perf_common(model: str, params_b: float, precision: str) -> Callable[[str, str, float, float, float], Row]:
    known = find_architecture(model)
    active_b = known.params_active_b if known and known.params_active_b < known.params_total_b else params_b
    context = serving_context(
        layers=known.layers if known else None,
        params=(params_b, min(active_b, params_b)),
        hardware="A100-80GB",
        devices=1.0,
        batch_size=1.0,
        precision=precision,
        kv=known.kv_bytes_per_token if known else None,
        rotary=known.rotary if known else None,
        layer_operations=known.layer_operations if known else None,
        routed_share=known.routed_share if known else None,
        state_bytes=known.state_bytes if known else None,
    )
    shape = f"{known.layers:g}x{known.kv_bytes_per_token:g}" if known else model

    def row(source: str, kind: str, output_tokens: float, joules: float, seconds: float) -> Row:
        # The same architecture at the same size is one group: fine-tunes and re-uploads of one model never face each other.
        group = f"{round(params_b, 0):g}-{shape}"
        return Row(source, kind, model, group, kind, context, 256.0, output_tokens, joules, seconds)

    return row
