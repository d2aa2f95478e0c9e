"""What is believed before any price is seen: batch, hardware, precision, PUE, the law's error. Each with its source."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from rice_stream.quantities import Range

Z80 = 1.2815515655446004
"""Standard deviations from the median to the 90th percentile."""


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A positive quantity whose logarithm is normal."""

    median: float
    log_sd: float

    @classmethod
    def between(cls, low: float, median: float, high: float) -> "LogNormal":
        """From the ends of its 80 % range, low to high, about a median."""
        return cls(median, math.log(high / low) / (2.0 * Z80))


def log_normal(value: Range, log_sd_least: float = 0.0) -> LogNormal:
    """A range of the model table as a log-normal; nothing is uncertain about an exact one unless `log_sd_least` says so."""
    log_sd = math.log(value.high / value.low) / (2.0 * Z80) if value.high > value.low > 0.0 else 0.0
    return LogNormal(value.mid, max(log_sd, log_sd_least))


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of host."""

    batch: LogNormal
    """Requests that one device group (at most `DEVICES_MAX` devices) serves at a time."""
    hardware: Mapping[str, float]
    """Shares of the accelerators, where the host's row says nothing."""
    exposed: tuple[float, float]
    """Least and most of what a mixture's devices pay, per token, to exchange tokens, that is not hidden behind computation."""
    spread: tuple[float, ...]
    """Over how many times the devices that its weights need a mixture is spread, each as likely as the others."""
    streams_on_one: bool
    """Whether attention of a mixture is data-parallel: each request is streamed by one device, not by its whole group."""


DEVICES_MAX = 8.0
"""Devices of one batch unit. Wider groups (expert parallelism over 144 devices at DeepSeek) have as many units."""

STAND_INS: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "GB200": ("B200", 1.0),
        "GB300": ("B200", 1.0),
        "Trainium2": ("H200", 1.0),
        "H20": ("H100", 1.0),
        "TPU-v5e": ("TPU-v6e", 1.67),
        "TPU-v7": ("TPU-v6e", 0.5),
    }
)
"""(row of the law's artefact, factor on its joules) for hardware that the law does not know, or knows by its peaks alone:
like memory and power; Google states 67 % more performance per watt for v6e than for v5e, and twice v6e's for v7."""

USD_PER_KWH_LEAST_PROVISIONED = 0.6
"""Cheapest total cost of ownership per provisioned kWh (MI355X 0.56, H100 0.75, GB200 1.05; InferenceX, 2026-04): a draw whose
hardware alone would cost more than the whole price is impossible."""
USD_PER_KWH_LEAST = 1.0
"""What the middle must stay under, for any request, per kWh of the facility: `USD_PER_KWH_LEAST_PROVISIONED` over the share
of its nameplate that a node draws (0.6 to 0.7)."""
PUE_MOST = 1.40
"""Of the facility in that bound. At hosts of a higher PUE requests are bounded one by one when they are estimated."""
CONTEXT_TOKENS = 4000
"""Context at which an output token's energy is held to that bound; longer requests are bounded one by one."""

CLOSED_LOG_SD_LEAST, OPEN_LOG_SD_LEAST = 0.50, 0.30
"""No closed model's range is narrower than a factor 3.6, no open one's than 2.2: assumptions shared by all can all be off."""

INPUT_TOKENS, OUTPUT_TOKENS = 500, 250
"""The request at which price and energy are compared and spreads are worked out."""

_PUE = LogNormal.between(1.09, 1.20, 1.40)
_HOST_SHARE, _IDLE_SHARE = LogNormal.between(0.22, 0.36, 0.60), LogNormal.between(0.03, 0.10, 0.33)
_PROFILES = {
    "hosted_scale": Profile(
        batch=LogNormal.between(50, 200, 800),
        hardware={"H100": 0.45, "H200": 0.25, "B200": 0.30},
        exposed=(0.0, 0.5),
        spread=(1.0, 2.0, 4.0),
        streams_on_one=True,
    ),
    "hosted_small": Profile(
        batch=LogNormal.between(10, 50, 250),
        hardware={"H100": 0.50, "H200": 0.30, "B200": 0.20},
        exposed=(1.0, 1.0),
        spread=(1.0,),
        streams_on_one=False,
    ),
}


@dataclass(frozen=True, slots=True)
class Beliefs:
    """Everything that is believed before a price is seen, and how much a price says."""

    profiles: Mapping[str, Profile] = field(default_factory=lambda: MappingProxyType(_PROFILES))
    """Batches: `hosted_scale` spans ML.ENERGY v3's sweeps at the pace of hosted APIs and brackets DeepSeek's 704 (88 requests
    per device, 2025-02); `hosted_small` is what gives Neuralwatt's metered joules (its effective batch has a median near 50).
    Mixtures at scale: attention is data-parallel, experts are spread wider than their memory needs and exchange is overlapped
    with computation, as DeepSeek's overview and the serving frameworks describe; a small host runs a framework as it comes."""
    pue: LogNormal = _PUE
    """Of a host that says nothing: fleets of Google 1.09, AWS 1.14, Microsoft 1.17; 1.2 to 1.4 at colocation sites."""
    law: LogNormal = LogNormal(1.0, 0.32)
    """Measured over predicted, where batch and hardware are known: the log-sd of mixtures left out is 0.25, that of dense models
    0.14 (docs/validation-calibrated.md); 0.20 more, in squares, for what servers at scale do otherwise."""
    scaled_log_sd: float = 0.25
    """Further error of the law on accelerators that were never measured (TPU, MI300X): 0.29 in the artefact's
    `hardware_errors`, less where a maker states its performance per watt."""
    fp8_share: float = 0.7
    """Share of hosts that serve weights of 8 bit where the model's own precision is not stated."""
    host_share: LogNormal = _HOST_SHARE
    """Energy of the machines around the accelerators over theirs: CPU and memory 0.06 on 0.14 Wh at Google (0.43); 22 % of the
    TDP while they work, as `rice-calibrated` has it, is 0.25 to 0.40 here; a node at its nameplate 0.82."""
    idle_share: LogNormal = _IDLE_SHARE
    """Energy of idle machines over that of working ones: 0.02 on 0.20 Wh at Google (Elsworth et al. 2025); a third where
    servers work three quarters of their time."""
    closed_log_sd_least: float = math.log(2.0) / Z80
    """Least spread of a closed model's parameters: guesses of the same model differ by more than a factor 2 each way."""
    layers_log_sd: float = math.log(1.25) / Z80
    """Layers by the artefact's law: within 25 % for 80 % of the architecture table."""
    kv_log_sd: float = math.log(2.0) / Z80
    """KV cache bytes per token by the artefact's law: grouped-query models are within 50 %, latent attention is below."""
    usd_per_kwh: LogNormal = LogNormal(11.0, 0.80)
    """List price of a request over its facility energy: 14 services whose energy is metered or follows from exact counts
    have a log-sd of 0.71, and being of 7 independent hosts at most tell their own median to 0.3 only."""
    other_host_log_sd: float = 0.50
    """What one kind of host's price says less of another's energy: the same open model's prices differ by a factor 6."""


BELIEFS = Beliefs()
