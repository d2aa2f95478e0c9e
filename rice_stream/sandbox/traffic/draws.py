"""Random draws that are the same bytes on every machine and every numpy version.

numpy promises a stable stream only for the bit generators' raw words (NEP 19), not for the distributions built on them;
so uniforms are made here from raw 64-bit words.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from rice_stream.errors import UsageError


class PCG64Draws:
    """A stream of uniforms set by (seed, stream name).

    Row i does not depend on how many rows are asked for at once.
    """

    def __init__(self, seed: int, *, stream: str) -> None:
        self._bits = _bit_generator(seed, stream)

    def uniforms(self, rows: int, columns: int) -> NDArray[np.float64]:
        """The next (rows, columns) doubles in [0, 1), row by row."""
        words = np.asarray(self._bits.random_raw(rows * columns), dtype=np.uint64)
        # 53 bits: the doubles in [0, 1) that are equally far apart.
        return np.asarray((words >> np.uint64(11)) * 2.0**-53, dtype=np.float64).reshape(rows, columns)


def seeded_generator(seed: int, *, stream: str) -> np.random.Generator:
    """numpy's generator with all its distributions, for draws that need to repeat only under one numpy version."""
    return np.random.Generator(_bit_generator(seed, stream))


def _bit_generator(seed: int, stream: str) -> np.random.PCG64:
    """PCG64 whose state depends on both; streams of different names are independent."""
    if seed < 0:
        raise UsageError(f"seed: {seed} is negative; any integer from 0 on will do")
    return np.random.PCG64(int.from_bytes(hashlib.blake2b(f"{stream}:{seed}".encode(), digest_size=16).digest(), "big"))
