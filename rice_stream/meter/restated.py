"""What recorded prompts amount to by another method or by other factors, as amounts that entries are made of. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.meter.amounts import cap_flags, impact_columns, measure_matrix
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.meter.factors import FactorUse
from rice_stream.meter.recompute import Recomputed, recompute_by, recompute_kinds, stored_kind
from rice_stream.meter.requests import RecordedCounts, TokenDefaults, requests_of
from rice_stream.quantities import Floats, Ints

_OF_ESTIMATES = (
    Basis.INPUT_EXTRAPOLATED
    | Basis.PARAMETERS_EXTRAPOLATED
    | Basis.CACHED_INPUT
    | Basis.CONTEXT_EXTRAPOLATED
    | Basis.BATCH_ASSUMED
    | Basis.HARDWARE_ASSUMED
    | Basis.HARDWARE_SCALED
    | Basis.SITE_CALIBRATED
    | Basis.ARCHITECTURE_ASSUMED
    | Basis.AMOUNT_CAPPED
    | Basis.MEASURED
    | Basis.PRICE_BOUND
)
"""Flags that a method sets; the others say what the event was like, and stay."""


class RecordedPrompts(NamedTuple):
    """n records, shape (n,): the kind of each (its place among `factors`), its counts, and its token columns by their names."""

    factors: Sequence[Mapping[str, Any]]
    """Rows of `factor_use`."""
    use: NDArray[np.intp]
    counts: RecordedCounts
    tokens: Mapping[str, Ints]


class Restated(NamedTuple):
    """What the records amount to: one row of ENTRY_AMOUNTS each, shape (n, len(ENTRY_AMOUNTS)), and their basis flags (n,)."""

    uses: list[FactorUse]
    """The factors of each kind; empty where they are the stored ones."""
    amounts: Ints
    basis_flags: Ints


def restated(estimators: Sequence[EstimatorAt], prompts: RecordedPrompts, defaults: TokenDefaults) -> Restated:
    """By the method and the factors of `estimators`, one for each kind, all of one method."""
    by = recompute_by(estimators, prompts.factors, prompts.use, prompts.counts, defaults)
    coefficients = np.stack([use.kind.coefficients for use in by.uses])
    pue = np.array([use.pue.pue for use in by.uses])[prompts.use]
    return _with(estimators[0], by.recomputed, coefficients, pue, prompts, defaults, by.uses)


def by_method_alone(estimator: EstimatorAt, prompts: RecordedPrompts, defaults: TokenDefaults) -> Restated:
    """By the estimator's method, from the factors that are stored with the records."""
    kinds = [stored_kind(factor) for factor in prompts.factors]
    again = recompute_kinds(estimator.method, kinds, prompts.use, prompts.counts, defaults)
    coefficients = estimator.method.coefficients([kind.context for kind in kinds])
    pue = np.array([kind.place.pue for kind in kinds])[prompts.use]
    return _with(estimator, again, coefficients, pue, prompts, defaults, [])


def _with(
    estimator: EstimatorAt,
    again: Recomputed,
    coefficients: Floats,
    pue: Floats,
    prompts: RecordedPrompts,
    defaults: TokenDefaults,
    uses: list[FactorUse],
) -> Restated:
    counts = prompts.counts
    requests = requests_of(counts, prompts.use, defaults)
    impacts = impact_columns(estimator.method, coefficients, requests, again.estimates, pue)
    amounts = measure_matrix(amounts=again.amounts, impacts=impacts, **prompts.tokens)
    flags = (counts.flags & ~np.int32(_OF_ESTIMATES)) | again.estimates.flags | cap_flags(again.amounts)
    return Restated(uses, amounts, flags.astype(np.int64))
