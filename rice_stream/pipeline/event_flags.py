"""Basis flags that an event has by itself, before anything is estimated."""

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.events.columns import EventColumns
from rice_stream.quantities import UNKNOWN

SKEW_US = 300_000_000
"""An event that ends more than five minutes after it arrived carries a wrong clock: flagged, still counted."""


def event_flags(events: EventColumns, received_at_us: int) -> NDArray[np.int32]:
    """The flags that events came with, and those that what they say gives them."""
    flags = events.flags.copy()
    for mask, flag in (
        (events.input_tokens == UNKNOWN, Basis.INPUT_TOKENS_MISSING),
        (events.output_tokens == UNKNOWN, Basis.OUTPUT_TOKENS_MISSING),
        (~events.inference, Basis.GATEWAY_CACHE_HIT),
        (events.failed, Basis.REQUEST_FAILED),
        (events.ended_at_us > received_at_us + SKEW_US, Basis.CLOCK_SKEW),
    ):
        flags[mask] |= flag
    return flags
