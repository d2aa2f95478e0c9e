"""Months of UTC that instants lie in, counted from 1970-01."""

from typing import Literal

import numpy as np

from rice_stream.quantities import Ints


def months_of(instants: Ints, unit: Literal["ms", "us"]) -> Ints:
    """The month of each, shape (n,).

    >>> months_of(np.array([1_795_348_800_000]), "ms").tolist()
    [682]
    """
    if not len(instants):
        return np.empty(0, dtype=np.int64)
    ends = _months(np.array([instants.min(), instants.max()]), unit)
    # What comes together is nearly always of one month, and a calendar takes long.
    return np.full(len(instants), ends[0]) if ends[0] == ends[1] else _months(instants, unit)


def _months(instants: Ints, unit: str) -> Ints:
    return instants.astype(f"M8[{unit}]").astype("M8[M]").astype(np.int64)
