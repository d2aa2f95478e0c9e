"""Measured energies and times beside what the method predicts for the same runs; no regression has seen them."""

from dataclasses import dataclass

import numpy as np

from rice_stream.estimator.method import Context, Estimates, Requests
from rice_stream.estimator.paper.method import PaperMethod
from rice_stream.quantities import Floats, Range
from training.figures import Table, table

LEADERBOARD_TOKENS = (256, 256)
"""Input and output tokens of every run of the LLM-Perf leaderboard of February 2024."""


@dataclass(frozen=True, slots=True)
class Compared:
    """n runs, arrays of shape (n,): what was measured and what `rice-paper` says."""

    model: list[str]
    params_b: Floats
    measured_s: Floats
    predicted_s: Floats
    measured_j: Floats
    predicted_j: Floats

    @property
    def energy_ratio(self) -> Floats:
        return self.measured_j / self.predicted_j


def predict(
    method: PaperMethod,
    total_b: Floats,
    active_b: Floats,
    tokens: tuple[Floats, Floats],
    *,
    batch_size: float | None = 1,
) -> Estimates:
    """The method's estimate for n runs of known models; `tokens` are (input, output), shape (n,) or () each."""
    contexts = [
        Context(Range.exact(float(total)), Range.exact(float(active)), batch_size=batch_size)
        for total, active in zip(total_b, active_b, strict=True)
    ]
    n = len(contexts)
    input_tokens, output_tokens = (np.broadcast_to(np.rint(t).astype(np.int64), (n,)) for t in tokens)
    requests = Requests(
        context=np.arange(n, dtype=np.intp),
        input_tokens=input_tokens,
        cache_read_input_tokens=np.zeros(n, dtype=np.int64),
        output_tokens=output_tokens,
        inference=np.ones(n, dtype=np.bool_),
    )
    return method.estimate(method.coefficients(contexts), requests)


def leaderboard(method: PaperMethod) -> Compared:
    """LLM-Perf, February 2024: A100-80GB capped at 275 W, bf16, batch 1, 256 -> 256 tokens. Meter: GPU, CPU and RAM."""
    rows = table("llm_perf_2024_02.csv")
    params_b = rows.numbers("params_b")
    input_tokens, output_tokens = (np.array(float(tokens)) for tokens in LEADERBOARD_TOKENS)
    estimates = predict(method, params_b, params_b, (input_tokens, output_tokens))
    measured_j = output_tokens * 3.6e6 / rows.numbers("tokens_per_kwh")
    return Compared(
        rows.words("model"),
        params_b,
        rows.numbers("latency_s"),
        estimates.latency_s,
        measured_j,
        estimates.gpu_energy_j,
    )


def gpu_metered(method: PaperMethod) -> Compared:
    """LLM-Perf, January 2026: A100-80GB, fp16 and bf16, unquantised, batch 1, 256 -> 64 tokens. Meter: GPU alone."""
    rows = table("llm_perf_2026_01.csv")
    params_b = rows.numbers("params_b")
    tokens = (rows.numbers("input_tokens"), rows.numbers("output_tokens"))
    estimates = predict(method, params_b, params_b, tokens)
    return Compared(
        rows.words("model"),
        params_b,
        rows.numbers("prefill_s") + rows.numbers("decode_s"),
        estimates.latency_s,
        rows.numbers("prefill_gpu_j") + rows.numbers("decode_gpu_j"),
        estimates.gpu_energy_j,
    )


def batched(method: PaperMethod) -> tuple[Table, Floats, Floats]:
    """ML.ENERGY v3, text tasks: the rows, and measured and predicted GPU joules per output token.

    Serving by vLLM on H100 and B200 at many batch sizes. The benchmark does not publish prompt lengths, so the
    prediction is that of decoding alone; the meter includes prefill.
    """
    rows = table("ml_energy_v3.csv")
    output_tokens = rows.numbers("output_tokens")
    total_b, active_b = rows.numbers("params_total_b"), rows.numbers("params_active_b")
    estimates = predict(method, total_b, active_b, (np.array(1.0), output_tokens), batch_size=None)
    return rows, rows.numbers("gpu_j_per_output_token"), estimates.decode_j / np.rint(output_tokens)


def server_ratios(method: PaperMethod) -> Floats:
    """Measured / predicted energy per run, the meter including CPU and RAM."""
    return leaderboard(method).energy_ratio


def gpu_ratios(method: PaperMethod) -> Floats:
    """Measured / predicted energy per run, GPU meter."""
    return gpu_metered(method).energy_ratio


def batched_ratios(method: PaperMethod) -> Floats:
    """Measured / predicted GPU energy per output token in batched serving."""
    _, measured_j, predicted_j = batched(method)
    return measured_j / predicted_j
