"""What is the same for all events of one kind: where they say that they were served, and on what."""

from typing import NamedTuple


class ServiceKey(NamedTuple):
    """What an event says about where and how it was served; every field as it came, None when it did not."""

    provider: str | None
    request_model: str | None
    response_model: str | None
    inference_region: str | None
    hardware: str | None = None
    devices: float | None = None
    batch_size: float | None = None
    utilisation: float | None = None
    pue: float | None = None
    rci_gco2e_per_kwh: float | None = None
    source_format: str | None = None
    region_source: str | None = None
    gateway_cache_hit: bool | None = None
    energy_boundary: str | None = None
    """Where the request's energy was metered, of those whose energy rests on that."""
