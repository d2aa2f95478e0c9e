"""Speed of `rice-calibrated` on one core, beside a bare numpy pass over its output columns and the target."""

import time
from collections.abc import Callable

import numpy as np

from rice_stream.estimator.loading import load_calibrated
from rice_stream.estimator.method import Context, Estimates, Requests
from rice_stream.quantities import Floats, Range

EVENTS_PER_BATCH = 16_384
CONTEXTS = 200
TARGET_PER_SECOND = 2e6
SECONDS = 1.0
"""How long each measurement repeats; the fastest repetition counts, so a busy neighbour does not."""


def _traffic(rng: np.random.Generator) -> tuple[list[Context], Requests]:
    """Seeded requests over models of 1-600 B, dense and mixtures; a third partly cached, one in 50 a gateway hit."""
    sizes = np.exp(rng.uniform(np.log(1.0), np.log(600.0), CONTEXTS))
    shares = np.where(rng.random(CONTEXTS) < 0.5, 1.0, 0.1)
    contexts = [
        Context(Range(0.7 * size, size, 1.5 * size), Range(0.7 * size * share, size * share, 1.5 * size * share))
        for size, share in zip(sizes.tolist(), shares.tolist(), strict=True)
    ]
    input_tokens = np.minimum(rng.lognormal(6.5, 1.2, EVENTS_PER_BATCH), 120_000).astype(np.int64) + 1
    requests = Requests(
        context=rng.integers(0, CONTEXTS, EVENTS_PER_BATCH).astype(np.intp),
        input_tokens=input_tokens,
        cache_read_input_tokens=np.where(rng.random(EVENTS_PER_BATCH) < 1 / 3, input_tokens // 2, 0),
        output_tokens=rng.lognormal(5.0, 1.0, EVENTS_PER_BATCH).astype(np.int64),
        inference=rng.random(EVENTS_PER_BATCH) > 0.02,
    )
    return contexts, requests


def _per_second(count: int, work: Callable[[], object]) -> float:
    fastest, until = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        start = time.perf_counter()
        work()
        fastest = min(fastest, time.perf_counter() - start)
    return count / fastest


def _move_columns(numbers: Floats) -> list[Floats]:
    """One multiplication per output column of an estimate, nothing else: no estimator can be faster than its output."""
    return [numbers * 1.5 for _ in range(len(Estimates.__dataclass_fields__))]


def run() -> list[dict[str, object]]:
    """The rows of the benchmark table: requests per second on one core, each with its ceiling and the ratio to it."""
    contexts, requests = _traffic(np.random.default_rng(20261123))
    method = load_calibrated()
    coefficients = method.coefficients(contexts)
    numbers = requests.input_tokens.astype(np.float64)
    ceiling = _per_second(EVENTS_PER_BATCH, lambda: _move_columns(numbers))
    ours = _per_second(EVENTS_PER_BATCH, lambda: method.estimate(coefficients, requests))
    contexts_per_second = _per_second(CONTEXTS, lambda: method.coefficients(contexts))
    return [
        _row("rice-calibrated estimates", ours, "numpy pass over the output columns", ceiling),
        _row("rice-calibrated estimates against the target", ours, "target 2 million/s per core", TARGET_PER_SECOND),
        _row("rice-calibrated new contexts", contexts_per_second, "its own estimates", ours),
    ]


def _row(name: str, value: float, ceiling_name: str, ceiling: float) -> dict[str, object]:
    return {
        "name": name,
        "value": round(value),
        "unit": "1/s",
        "ceiling_name": ceiling_name,
        "ceiling_value": round(ceiling),
        "ratio": round(value / ceiling, 3),
    }
