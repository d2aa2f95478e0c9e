"""The measured rows on which all tools are compared, from the figures in training/data alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rice_stream.estimator.method import Context
from rice_stream.quantities import Floats
from training.calibrated.rows import PRECISIONS, PROMPT_TOKENS, Row, gpu_rows, serving_context
from training.figures import table
from training.measured import LEADERBOARD_TOKENS

MIN_B = 1.0
"""Of our own rows and of the leaderboard of 2024, models from 1 B on are compared, as in docs/validation-calibrated.md."""
J_PER_KWH = 3.6e6


@dataclass(frozen=True, slots=True)
class DataSet:
    """Rows of one kind. `of_machine`: the meter saw processor and memory too."""

    name: str
    rows: list[Row]
    of_machine: bool = False

    @property
    def joules(self) -> Floats:
        return np.array([float(row.joules or np.nan) for row in self.rows])


def data_sets() -> list[DataSet]:
    """ML.ENERGY by GPU, our decode steps and prefills, LLM-Perf 2026 (GPU) and 2024 (machine), in this order."""
    served, own = served_rows(), [row for row in gpu_rows() if row.context.params_total_b.mid >= MIN_B]
    return [
        DataSet("ML.ENERGY v3, H100", _where(served, lambda row: row.context.hardware == "H100")),
        DataSet("ML.ENERGY v3, B200", _where(served, lambda row: row.context.hardware == "B200")),
        DataSet("our decode steps", _where(own, lambda row: row.kind == "decode")),
        DataSet("our prefills", _where(own, lambda row: row.kind == "prefill")),
        DataSet("LLM-Perf 2026, A100", eager_rows()),
        DataSet("LLM-Perf 2024, A100", board_rows(), of_machine=True),
    ]


def served_rows() -> list[Row]:
    """ML.ENERGY v3, text tasks: 416 runs of vLLM. `seconds` is what one step of the whole batch took: batch / tokens per second."""
    figures, runs = table("ml_energy_v3.csv"), table("ml_energy_v3_runs.csv")
    batch, per_s = figures.numbers("batch_size"), runs.numbers("output_tokens_per_s")
    devices, output = figures.numbers("devices"), figures.numbers("output_tokens")
    total_b, active_b = figures.numbers("params_total_b"), figures.numbers("params_active_b")
    joules = figures.numbers("gpu_j_per_output_token")
    rows = []
    for at, (model, task) in enumerate(zip(figures.words("model"), figures.words("task"), strict=True)):
        context = serving_context(
            layers=None,
            params=(float(total_b[at]), float(active_b[at])),
            hardware=figures.words("gpu")[at],
            devices=float(devices[at]),
            batch_size=float(batch[at]),
            precision=PRECISIONS[figures.words("precision")[at]],
            kv=None,
        )
        prompt, seconds = PROMPT_TOKENS[task], float(batch[at] / per_s[at])
        found = (float(output[at]), float(joules[at]), seconds)
        rows.append(Row("ml_energy_v3", "request", model, model, task, context, prompt, *found))
    return rows


def eager_rows() -> list[Row]:
    """LLM-Perf 2026-01: decode steps at batch 1 on A100-80GB, joules of the GPU."""
    figures = table("llm_perf_2026_01.csv")
    steps = figures.numbers("output_tokens") - 1
    joules, seconds = figures.numbers("decode_gpu_j") / steps, figures.numbers("decode_s") / steps
    precisions = [PRECISIONS[name] for name in figures.words("precision")]
    tokens = (figures.numbers("input_tokens"), figures.numbers("output_tokens"))
    return [
        Row("llm_perf_2026", "eager", model, model, "eager", _batch_1(params_b, precision), prompt, output, j, s)
        for model, params_b, precision, prompt, output, j, s in zip(
            figures.words("model"),
            figures.numbers("params_b").tolist(),
            precisions,
            *(column.tolist() for column in (*tokens, joules, seconds)),
            strict=True,
        )
    ]


def board_rows() -> list[Row]:
    """LLM-Perf 2024-02: whole runs at batch 1 on A100-80GB, joules of GPU, processor and memory."""
    figures, (prompt, output) = table("llm_perf_2024_02.csv"), LEADERBOARD_TOKENS
    joules = output * J_PER_KWH / figures.numbers("tokens_per_kwh")
    columns = (figures.numbers("params_b"), joules, figures.numbers("latency_s"))
    return [
        Row("llm_perf_2024", "board", model, model, "board", _batch_1(b, "bf16"), float(prompt), float(output), j, s)
        for model, b, j, s in zip(figures.words("model"), *(column.tolist() for column in columns), strict=True)
        if b >= MIN_B
    ]


def tokens_of(row: Row, *, prompts: bool = True) -> float:
    """Tokens that went through the model for the row's unit; without `prompts` those that it wrote alone."""
    if row.kind == "request":
        return 1.0 + (row.input_tokens / row.output_tokens if prompts else 0.0)
    if row.kind == "prefill":
        return row.input_tokens if prompts else 0.0
    if row.kind == "board":
        return row.output_tokens + (row.input_tokens if prompts else 0.0)
    return 1.0


def _batch_1(params_b: float, precision: str) -> Context:
    return serving_context(
        layers=None,
        params=(params_b, params_b),
        hardware="A100-80GB",
        devices=1.0,
        batch_size=1.0,
        precision=precision,
        kv=None,
    )


def _where(rows: Sequence[Row], test: Callable[[Row], bool]) -> list[Row]:
    return [row for row in rows if test(row)]
