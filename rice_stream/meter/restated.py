"""What recorded prompts amount to by another method or by other factors, as amounts that entries are made of. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.estimator.method import Method
from rice_stream.meter.amounts import cap_flags, impact_columns, measure_matrix
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.meter.factors import FactorUse
from rice_stream.meter.recompute import StoredKind, recompute_with, stored_kind, use_by
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
    | Basis.INTENSITY_ESTIMATED
)
"""Flags that a method and factors set; the others say what the event was like, and stay."""


class RestatedKind(NamedTuple):
    """A kind of recorded prompts as it is estimated again."""

    kind: StoredKind
    coefficients: Floats
    """The method's, shape (columns,)."""
    use: FactorUse | None = None
    """Its factors; None where they are not those of an estimator, but those of records."""

    def is_served_as(self, other: "RestatedKind") -> bool:
        """Whether all that is known of the model and of how it is served is the same, wherever the two ran."""
        return replace(self.kind.context, pue=other.kind.context.pue) == other.kind.context

    def at_place_of(self, other: "RestatedKind") -> "RestatedKind":
        """Served as this one, where the other one ran: with its PUE and its carbon intensities."""
        kind = self.kind._replace(place=other.kind.place, market=other.kind.market)
        return RestatedKind(kind, self.coefficients)


class RecordedPrompts(NamedTuple):
    """n records, shape (n,): the kind of each (its place in a list of kinds), its counts, and its token columns by their names."""

    use: NDArray[np.intp]
    counts: RecordedCounts
    tokens: Mapping[str, Ints]


class Restated(NamedTuple):
    """What the records amount to: one row of ENTRY_AMOUNTS each, shape (n, len(ENTRY_AMOUNTS)), and their basis flags (n,)."""

    amounts: Ints
    basis_flags: Ints


def kind_by(estimator: EstimatorAt, factor: Mapping[str, Any], *, keeps_live: bool = True) -> RestatedKind:
    """A kind (a row of `factor_use`) by the method and the factors of an estimator; `keeps_live` as of `use_by`."""
    use = use_by(estimator, factor, keeps_live=keeps_live)
    return RestatedKind(stored_kind(use.columns), use.kind.coefficients, use)


def kind_by_method(method: Method, factor: Mapping[str, Any]) -> RestatedKind:
    """A kind by a method, from the factors that are stored with it."""
    kind = stored_kind(factor)
    return RestatedKind(kind, method.coefficients([kind.context])[0])


def restated(
    method: Method, kinds: Sequence[RestatedKind], prompts: RecordedPrompts, defaults: TokenDefaults
) -> Restated:
    """The records by these kinds, all of one method."""
    counts = prompts.counts
    coefficients = np.stack([each.coefficients for each in kinds])
    stored = [each.kind for each in kinds]
    again = recompute_with(method, stored, coefficients, prompts.use, counts, defaults)
    requests = requests_of(counts, prompts.use, defaults)
    pue = np.array([kind.place.pue for kind in stored])[prompts.use]
    impacts = impact_columns(method, coefficients, requests, again.estimates, pue)
    amounts = measure_matrix(
        amounts=again.amounts,
        impacts=impacts,
        carbon_market_ugco2e=again.carbon_market_ugco2e,
        **prompts.tokens,
    )
    of_kinds = np.array([kind.basis_flags for kind in stored], dtype=np.int32)[prompts.use]
    flags = (counts.flags & ~np.int32(_OF_ESTIMATES)) | again.estimates.flags | cap_flags(again.amounts) | of_kinds
    return Restated(amounts, flags.astype(np.int64))
