"""The shape of production traffic: lengths by workload, and how unequal and how bursty clients are.

The facts stand in data/traffic_shape.json (sources and licences inside and in data/README.md); `derive_shape` rebuilds
the file from the published traces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec
import numpy as np
from numpy.typing import NDArray

from rice_stream.sandbox.traffic.catalogue import WORKLOADS


class WorkloadLengths(msgspec.Struct, frozen=True):
    """Quantiles at equal steps from minimum to maximum.

    `input_tokens` (q,); the others are (bands, p): the quantiles among requests of one band, bands being equal shares
    of all requests by input length. None where the source says nothing.
    """

    input_tokens: list[float]
    output_tokens: list[list[float]]
    cached_share: list[list[float]] | None
    reasoning_share: list[list[float]] | None


class ClientShape(msgspec.Struct, frozen=True):
    """One production client: its share of all requests, and how its gaps and 10-minute rates vary (std / mean)."""

    share: float
    gap_cv: float
    rate_cv: float


class TrafficShape(msgspec.Struct, frozen=True):
    """`clients` with the largest first."""

    workloads: dict[str, WorkloadLengths]
    clients: list[ClientShape]


@dataclass(frozen=True, slots=True)
class Lengths:
    """Token counts of n requests, each (n,); -1 means that the source does not say (null, not zero)."""

    input_tokens: NDArray[np.int64]
    cache_read_input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    reasoning_output_tokens: NDArray[np.int64]


@cache
def load_shape() -> TrafficShape:
    """The shipped facts."""
    text = files("rice_stream.sandbox.traffic").joinpath("data/traffic_shape.json").read_bytes()
    return msgspec.json.decode(text, type=TrafficShape)


def draw_lengths(
    shape: TrafficShape, workload: NDArray[np.intp], reasoning: NDArray[np.bool_], uniforms: NDArray[np.float64]
) -> Lengths:
    """Lengths for n requests.

    `workload` (n,) indexes WORKLOADS, `reasoning` (n,) marks reasoning models, `uniforms` (n, 4) are in [0, 1).
    Output and cached tokens depend on the input's rank, as in the source. Only reasoning models spend reasoning tokens.
    """
    inputs = np.zeros(len(workload), dtype=np.int64)
    outputs = np.zeros(len(workload), dtype=np.int64)
    cached = np.full(len(workload), -1, dtype=np.int64)
    thinking = np.full(len(workload), -1, dtype=np.int64)
    reasoning_share = shape.workloads["reasoning"].reasoning_share
    for index, name in enumerate(WORKLOADS):
        at = np.flatnonzero(workload == index)
        lengths = shape.workloads[name]
        rank = uniforms[at, 0]
        inputs[at] = np.rint(_drawn([lengths.input_tokens], np.zeros_like(rank), rank, geometric=True))
        outputs[at] = np.rint(_drawn(lengths.output_tokens, rank, uniforms[at, 1], geometric=True))
        if lengths.cached_share is not None:
            share = _drawn(lengths.cached_share, rank, uniforms[at, 2], geometric=False)
            cached[at] = np.floor(share * inputs[at])
    if reasoning_share is not None:
        at = np.flatnonzero(reasoning)
        share = _drawn(reasoning_share, np.zeros(len(at)), uniforms[at, 3], geometric=False)
        thinking[at] = np.floor(share * outputs[at])
    return Lengths(inputs, cached, outputs, thinking)


def client_shapes(shape: TrafficShape, tenants: int) -> Sequence[ClientShape]:
    """`tenants` clients, largest first, shares summing to 1: the largest ones, and all of them again if too few."""
    repeats = -(-tenants // len(shape.clients))
    chosen = sorted(shape.clients * repeats, key=lambda client: -client.share)[:tenants]
    total = sum(client.share for client in chosen)
    return [ClientShape(client.share / total, client.gap_cv, client.rate_cv) for client in chosen]


def _drawn(
    table: Sequence[Sequence[float]], rank: NDArray[np.float64], uniform: NDArray[np.float64], *, geometric: bool
) -> NDArray[np.float64]:
    """Inverse of the quantile table (bands, p) at `uniform` (n,), in the band of `rank` (n,).

    Between two quantiles a length moves geometrically: straight lines would put too much into the long last step.
    """
    bands = np.log(np.maximum(table, 1.0)) if geometric else np.asarray(table)
    band = (rank * len(bands)).astype(np.intp)
    place = uniform * (bands.shape[1] - 1)
    below = place.astype(np.intp)
    values = bands[band, below] + (place - below) * (bands[band, below + 1] - bands[band, below])
    return np.asarray(np.exp(values) if geometric else values, dtype=np.float64)
