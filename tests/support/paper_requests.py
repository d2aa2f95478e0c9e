"""Builds contexts and requests for the tests of `rice-paper`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rice_stream.estimator.method import Context, Estimates, Method, Requests
from rice_stream.quantities import Range


def dense(params_b: float, *, batch_size: float | None = 1, **given: Any) -> Context:
    """A dense model of known size, run alone (batch 1) on the paper's own hardware."""
    size = Range.exact(params_b)
    return Context(size, size, batch_size=batch_size, **{"hardware_known": True, **given})


def requests(
    tokens: Sequence[tuple[int, int]],
    *,
    cached: Sequence[int] | None = None,
    inference: Sequence[bool] | None = None,
    context: Sequence[int] | None = None,
) -> Requests:
    """Requests from (input, output) token pairs; by default all of context 0, nothing cached, all of them inference."""
    n = len(tokens)
    return Requests(
        context=np.array(context if context is not None else [0] * n, dtype=np.intp),
        input_tokens=np.array([pair[0] for pair in tokens], dtype=np.int64),
        cache_read_input_tokens=np.array(cached if cached is not None else [0] * n, dtype=np.int64),
        output_tokens=np.array([pair[1] for pair in tokens], dtype=np.int64),
        inference=np.array(inference if inference is not None else [True] * n),
    )


def estimate(method: Method, context: Context, tokens: Sequence[tuple[int, int]], **more: Any) -> Estimates:
    """The estimates of `tokens` (input, output) on one context."""
    return method.estimate(method.coefficients([context]), requests(tokens, **more))
