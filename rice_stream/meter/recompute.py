"""A stored record's amounts once more, from the factors that are stored with it. Pure.

Today's tables and settings have no say: `factor_use` holds everything an estimate rests on besides its tokens.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.estimator.method import Context, Estimates, Method, Requests
from rice_stream.meter.amounts import Amounts, amounts
from rice_stream.meter.factors import context_from_detail
from rice_stream.quantities import UNKNOWN, Floats, Ints

AMOUNTS = (
    "it_energy_uwh",
    "facility_energy_uwh",
    "carbon_low_ugco2e",
    "carbon_mid_ugco2e",
    "carbon_high_ugco2e",
)
"""The columns that are estimated; `Amounts` has a field of each name."""


@dataclass(frozen=True, slots=True)
class TokenDefaults:
    """Counts that stand in where an event brings none (RICE_DEFAULT_INPUT_TOKENS, RICE_DEFAULT_OUTPUT_TOKENS)."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Token counts and flags of n stored records, shape (n,); UNKNOWN (-1) for a count that is not known."""

    input_tokens: Ints
    cache_read_input_tokens: Ints
    output_tokens: Ints
    flags: NDArray[np.int32]

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where a default stands for a count: it is a setting of that time, which is not stored."""
        found: NDArray[np.bool_] = (self.input_tokens == UNKNOWN) | (self.output_tokens == UNKNOWN)
        return found


class Reestimated(NamedTuple):
    """What `reestimate` gives, shape (n,) throughout."""

    estimates: Estimates
    amounts: Amounts


def context_of(factor: Mapping[str, Any]) -> Context:
    """The context of a row of `factor_use`."""
    return context_from_detail(json.loads(factor["detail"]))


def requests_of(counts: Counts, use: NDArray[np.intp], defaults: TokenDefaults) -> Requests:
    """The requests as the pipeline put them to the method: unknown counts replaced, none for a failed call."""
    failed = (counts.flags & Basis.REQUEST_FAILED) != 0
    unknown_input, unknown_output = counts.input_tokens == UNKNOWN, counts.output_tokens == UNKNOWN
    return Requests(
        context=use,
        input_tokens=np.where(unknown_input, np.where(failed, 0, defaults.input_tokens), counts.input_tokens),
        cache_read_input_tokens=np.where(unknown_input, 0, np.maximum(counts.cache_read_input_tokens, 0)),
        output_tokens=np.where(unknown_output, np.where(failed, 0, defaults.output_tokens), counts.output_tokens),
        inference=(counts.flags & Basis.GATEWAY_CACHE_HIT) == 0,
    )


def reestimate(
    method: Method,
    factors: Sequence[Mapping[str, Any]],
    use: NDArray[np.intp],
    counts: Counts,
    defaults: TokenDefaults,
) -> Reestimated:
    """Estimates and integer amounts of n records; `factors[use[i]]` is the `factor_use` row of record i."""
    estimates = method.estimate(
        method.coefficients([context_of(factor) for factor in factors]), requests_of(counts, use, defaults)
    )

    def of_factor(name: str) -> Floats:
        values: Floats = np.array([factor[name] for factor in factors], dtype=np.float64)[use]
        return values

    return Reestimated(
        estimates,
        amounts(
            estimates,
            pue=of_factor("pue"),
            rci_low_gco2e_per_kwh=of_factor("rci_low_gco2e_per_kwh"),
            rci_mid_gco2e_per_kwh=of_factor("rci_mid_gco2e_per_kwh"),
            rci_high_gco2e_per_kwh=of_factor("rci_high_gco2e_per_kwh"),
            flags=counts.flags,
        ),
    )
