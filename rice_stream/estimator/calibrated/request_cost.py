"""What a request's tokens come to at the coefficients of a `Cost`: the formulas of prefill and of decode.

Energies and times, low, middle and high ends all take the same powers and products of the token counts: `TokenTerms` has them, so
that they are worked out once.
"""

from typing import NamedTuple

import numpy as np

from rice_stream.estimator.calibrated.physics import Cost
from rice_stream.quantities import Floats


class TokenTerms(NamedTuple):
    """What the coefficients of a `Cost` are multiplied with; all of one shape, that of the requests (they broadcast)."""

    fresh: Floats
    """Input tokens that are not read from a cache."""
    squares: Floats
    """Input tokens^2 - cached tokens^2."""
    cached: Floats
    steps: Floats
    """Output tokens after the first."""
    context: Floats
    """Mean tokens of context over the steps."""
    streamed: Floats
    """Share of the sustained-serving cost that applies: steps / (steps + half)."""


def token_terms(
    input_tokens: Floats, cached_tokens: Floats, output_tokens: Floats, stream_half_tokens: float
) -> TokenTerms:
    """The terms of one request each. Step i reads input_tokens + i tokens of KV cache; the first token needs no step."""
    steps = np.maximum(output_tokens - 1.0, 0.0)
    return TokenTerms(
        fresh=input_tokens - cached_tokens,
        squares=input_tokens * input_tokens - cached_tokens * cached_tokens,
        cached=cached_tokens,
        steps=steps,
        context=input_tokens + 0.5 * (steps + 1.0),
        streamed=steps / (steps + stream_half_tokens),
    )


def prefill(cost: Cost, of: TokenTerms) -> Floats:
    """Prefill of one request each. Cached tokens skip compute, their KV is read."""
    return cost.fixed + cost.per_token * of.fresh + cost.per_square * of.squares + cost.per_cached * of.cached


def decode(cost: Cost, of: TokenTerms) -> Floats:
    """The steps after the first token."""
    stream = cost.per_stream * of.streamed
    result: Floats = of.steps * (cost.per_step + cost.per_step_context * of.context + stream)
    return result
