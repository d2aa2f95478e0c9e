"""Records whose energy was metered: which of a batch's metered events are believed beside their estimates, and what they become."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.estimator.method import Estimates
from rice_stream.events.keyed import KeyedEvents
from rice_stream.events.metered_energy import BOUNDARIES
from rice_stream.meter.metered import metered_it_wh, plausible, with_metered
from rice_stream.pipeline.contexts import ContextTable
from rice_stream.quantities import UNKNOWN, Ints


class BatchEnergy(NamedTuple):
    """Of n events: what their amounts are made from, after metered energy has taken the place of estimates."""

    estimates: Estimates
    context: NDArray[np.intp]
    """Row of each event's kind: a metered kind has one of its own."""
    flags: NDArray[np.int32]
    metered_energy_uj: Ints | None
    """Microjoules of the records that rest on them, UNKNOWN for the others; None where none does."""


def with_metered_energy(events: KeyedEvents, estimates: Estimates, contexts: ContextTable) -> BatchEnergy:
    """What is metered in the place of what is estimated, where it can be true; elsewhere the estimate, flagged."""
    flags = events.flags | estimates.flags
    if events.metered is None:
        return BatchEnergy(estimates, events.context, flags, None)
    rows = np.flatnonzero(events.metered[:, 0] != UNKNOWN)
    energy_uj, boundary = events.metered[rows].T
    kinds = contexts.measured(events.context[rows], [BOUNDARIES[number] for number in boundary.tolist()])
    it_wh = metered_it_wh(energy_uj, contexts.it_per_metered[kinds])
    unknown = (events.input_tokens[rows] == UNKNOWN) | (events.output_tokens[rows] == UNKNOWN)
    widen = np.where(unknown, contexts.sites.missing_tokens_high[events.context[rows]], 1.0)
    believed = plausible(it_wh, estimates, rows, widen)
    flags = flags.copy()
    flags[rows[~believed]] |= Basis.EVENT_FACTOR_IMPLAUSIBLE
    rows, kinds, energy_uj = rows[believed], kinds[believed], energy_uj[believed]
    if not rows.size:
        return BatchEnergy(estimates, events.context, flags, None)
    estimates = with_metered(estimates, rows, it_wh[believed])
    flags[rows] = events.flags[rows] | estimates.flags[rows]
    context = events.context.copy()
    context[rows] = kinds
    kept = np.full(len(events), UNKNOWN, dtype=np.int64)
    kept[rows] = energy_uj
    return BatchEnergy(estimates, context, flags, kept)
