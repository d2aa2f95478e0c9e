"""Seeded draws that are the same on every machine: a Latin hypercube, the same for every model."""

from functools import cache
from statistics import NormalDist

import numpy as np

from rice_stream.quantities import Floats

COUNT = 8192
SEED = 12
NAMES = (
    "total",
    "active",
    "layers",
    "kv",
    "batch",
    "hardware",
    "precision",
    "law",
    "host",
    "idle",
    "pue",
    "exposed",
    "spread",
)


@cache
def uniforms(count: int = COUNT, seed: int = SEED) -> dict[str, Floats]:
    """One array of shape (count,) per name: each of `count` equal slices of (0, 1) once, in an order of its own.

    From the generator's raw 64-bit words, whose stream numpy keeps for good, and not from its distributions.
    """
    words = np.random.PCG64(seed).random_raw(count * len(NAMES)).reshape(len(NAMES), count)
    return {name: (np.argsort(np.argsort(row)) + 0.5) / count for name, row in zip(NAMES, words, strict=True)}


@cache
def normals(count: int = COUNT, seed: int = SEED) -> dict[str, Floats]:
    """The same as standard normal deviates."""
    inverse = NormalDist().inv_cdf
    grid = np.array([inverse((index + 0.5) / count) for index in range(count)])
    return {name: grid[(row * count).astype(np.int64)] for name, row in uniforms(count, seed).items()}
