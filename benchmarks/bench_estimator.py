"""Speed of `rice-paper` on one core, beside a bare numpy pass over its columns and beside scikit-learn's forest."""

import time
from collections.abc import Callable

import numpy as np

from rice_stream.estimator.loading import load_paper
from rice_stream.estimator.method import Context, Estimates, Requests
from rice_stream.quantities import Floats, Range
from training.figures import prefill_points
from training.paper import fit_forest

EVENTS_PER_BATCH = 16_384
CONTEXTS = 200
SECONDS = 1.0
"""How long each measurement repeats; the fastest repetition counts, so a busy neighbour does not."""


def _traffic(rng: np.random.Generator) -> tuple[list[Context], Requests]:
    """Seeded requests over models of 1-600 B with a range of sizes; a third partly cached, one in 50 a gateway hit."""
    sizes = np.exp(rng.uniform(np.log(1.0), np.log(600.0), CONTEXTS))
    ranges = [Range(0.7 * size, size, 1.5 * size) for size in sizes]
    n = EVENTS_PER_BATCH
    input_tokens = np.minimum(rng.lognormal(6.5, 1.2, n), 120_000).astype(np.int64) + 1
    requests = Requests(
        context=rng.integers(0, CONTEXTS, n).astype(np.intp),
        input_tokens=input_tokens,
        cache_read_input_tokens=np.where(rng.random(n) < 1 / 3, input_tokens // 2, 0),
        output_tokens=rng.lognormal(5.0, 1.0, n).astype(np.int64),
        inference=rng.random(n) > 0.02,
    )
    return [Context(size, size) for size in ranges], requests


def _per_second(count: int, work: Callable[[], object]) -> float:
    fastest, until = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        start = time.perf_counter()
        work()
        fastest = min(fastest, time.perf_counter() - start)
    return count / fastest


def _move_columns(numbers: Floats) -> list[Floats]:
    """One multiplication per output column of an estimate, nothing else: no estimator can be faster than its output."""
    columns = len(Estimates.__dataclass_fields__)
    return [numbers * 1.5 for _ in range(columns)]


def run() -> list[dict[str, object]]:
    """The rows of the benchmark table: events per second on one core, each with its ceiling and the ratio to it."""
    contexts, requests = _traffic(np.random.default_rng(20261122))
    method, forest = load_paper(), fit_forest(prefill_points())
    coefficients = method.coefficients(contexts)
    sizes_b = np.array([context.params_active_b.mid for context in contexts])[requests.context]
    features = np.column_stack([sizes_b, np.minimum(requests.input_tokens, 1920)])

    ceiling = _per_second(EVENTS_PER_BATCH, lambda: _move_columns(sizes_b))
    ours = _per_second(EVENTS_PER_BATCH, lambda: method.estimate(coefficients, requests))
    batched = _per_second(EVENTS_PER_BATCH, lambda: forest.predict(features))
    one_by_one = _per_second(20, lambda: [forest.predict(features[i : i + 1]) for i in range(20)])
    return [
        _row("estimate rice-paper, low/mid/high", ours, "numpy, one multiplication per output column", ceiling),
        _row("scikit-learn forest alone, batched", batched, "estimate rice-paper", ours),
        _row("scikit-learn forest alone, one by one", one_by_one, "estimate rice-paper", ours),
    ]


def _row(name: str, value: float, ceiling_name: str, ceiling_value: float) -> dict[str, object]:
    return {
        "name": name,
        "value": value,
        "unit": "events/s",
        "ceiling_name": ceiling_name,
        "ceiling_value": ceiling_value,
        "ratio": value / ceiling_value,
    }
