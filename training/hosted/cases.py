"""One model at one kind of host: everything that the sampler is told."""

from collections.abc import Mapping
from dataclasses import dataclass

from rice_stream.quantities import ListPrice
from training.hosted.priors import LogNormal


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of a model (parameters in 1e9) and of whoever serves it."""

    family: str
    profile: str
    model_ids: tuple[str, ...]
    closed: bool
    total_b: LogNormal
    active_b: LogNormal
    layers: float | None
    kv_bytes_per_token: float | None
    state_bytes: float | None
    routed_share: float | None
    precision: str | None
    hardware: Mapping[str, float]
    """Shares of accelerators."""
    pue: LogNormal
    price: ListPrice | None
    price_of_profile: bool
    """False where the price is another kind of host's."""
    evidence: tuple[str, ...]
    date: str
