"""What a look-up answers: one frozen record per kind of factor, each naming the rung of the ladder it came from.

`rung` is a short lower-case word. It is stored with every record and is a metric label, so it comes from a fixed set
(docs/reference-data.md, "Ladders") and never from the event.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

from rice_stream.quantities import ListPrice, Range
from rice_stream.reference.sets.hours import HourlyRange, Hours

MODEL_RUNGS = (
    "exact",
    "alias",
    "dated",
    "variant",
    "size_in_name",
    "family",
    "size_class",
    "provider",
    "default",
)
"""Best first. From `size_in_name` on the model itself is unknown."""

KNOWN_MODEL_RUNGS = frozenset(MODEL_RUNGS[:4])

REGION_RUNGS = (
    "region",
    "grid_zone",
    "subregion",
    "state",
    "country",
    "area",
    "world",
)
"""Best first. `_converted` after one of the last three: the value was converted from the other scope."""

ASSUMED_PLACE_RUNGS = frozenset(("area", "world", "vendor", "default_region"))


def is_place_assumed(region_rung: str) -> bool:
    """Whether the place itself was assumed: an average, a default or the provider's usual place stands for it."""
    return region_rung.removesuffix("_converted") in ASSUMED_PLACE_RUNGS


RciScope = Literal["lifecycle", "direct"]
"""Carbon intensity with or without the making of power plants and fuels."""
SCOPES: tuple[RciScope, ...] = get_args(RciScope)
MarketInstrument = Literal["supplier", "residual_mix"]
"""What a market-based intensity rests on, best first: a factor of the supplier (a utility, a cloud), or the mix that is left of a
market when all that was contracted is taken out."""
MARKET_INSTRUMENTS: tuple[MarketInstrument, ...] = get_args(MarketInstrument)
SUPPLIER, RESIDUAL_MIX = MARKET_INSTRUMENTS
CONTRACT = "contract"
"""The instrument of what contracts for so many kilowatt-hours cover."""
LOCATION = "location"
"""The instrument of a prompt for which no market-based intensity is known: carbon by the market is then that by location."""
Granularity = Literal["hourly", "monthly", "annual"]
"""Over which time an intensity, or a contract's kilowatt-hours, and the consumption are matched; closest first."""
GRANULARITIES: tuple[Granularity, ...] = get_args(Granularity)
HOURLY, _, ANNUAL = GRANULARITIES
ContractInstrument = Literal["ppa", "certificate", "tariff"]
"""What a contract for so many kilowatt-hours is: a power purchase agreement, certificates (GO, REC, I-REC), a green tariff."""
CONTRACT_INSTRUMENTS: tuple[ContractInstrument, ...] = get_args(ContractInstrument)
FINAL, ESTIMATED = INTENSITY_STATUSES = ("final", "estimated")
"""Whether an intensity stays, or is an estimate that a final one will follow."""


@dataclass(frozen=True, slots=True)
class ModelFactor:
    """Parameters of one model, in billions; `kv_bytes_per_token` is for a cache of 16-bit values over all layers.

    `layers` counts all layers, whether they keep a KV cache or not; None where no public figure is known.
    """

    model_id: str
    params_total_b: Range
    params_active_b: Range
    kv_bytes_per_token: float | None
    precision: str | None
    rung: str
    source: str
    valid_from: str | None = None
    estimated: bool = False
    owner: str = ""
    note: str = ""
    layers: float | None = None
    rotary: bool | None = None
    """False where positions are learned, ALiBi or none; None where no row says."""
    layer_operations: float | None = None
    """Tensor operations that one layer makes for one token, run one by one (eager); None where no row says."""
    routed_share: float | None = None
    """Experts that a token passes through, as a share of a layer's experts; None where no row says, or there are none."""
    state_bytes: float | None = None
    """What a sequence keeps whatever its length: sliding windows (1,024 tokens of them at most, longer ones are rarely full),
    recurrent state (read and written)."""
    benchmark_only: bool = False
    """Known from a benchmark alone (fine-tunes, re-uploads, research models): no gateway serves it by that name."""
    overlaid: bool = False
    """The figures are of the user's own table."""
    source_date: str = ""
    """When the source came out: a year, month or day; an empty string where it does not say."""

    def architecture(self) -> dict[str, Any]:
        """What is known of the model beside its parameters, by the names of a context's fields."""
        names = ("kv_bytes_per_token", "layers", "rotary", "layer_operations", "routed_share", "state_bytes")
        return {name: getattr(self, name) for name in names}

    @property
    def known(self) -> bool:
        """False where the figures are those of a size, a family or of all models, not of this one."""
        return self.rung in KNOWN_MODEL_RUNGS

    @property
    def vendor(self) -> str | None:
        """Who serves it where no provider is named: the owner of a closed model, None for one that anybody may serve."""
        return self.owner or None if self.estimated else None


@dataclass(frozen=True, slots=True)
class RegionFactor:
    """Carbon intensity of the electricity at one place (gCO2e/kWh).

    `region_id` is the place that was recognised, `factor_region_id` the place whose row gave the value, `level` that
    place's kind. `rung` equals `level`, except `default_region` and `vendor`: there the place itself was assumed.
    `scope` is always the scope that was asked for. `market_rci_gco2e_per_kwh` is None where no row says otherwise.
    `placement_log_sd` is the part of the range (standard deviation of the logarithm) that comes from not knowing where in the
    country, or in which country, it is.
    """

    region_id: str
    rci_gco2e_per_kwh: Range
    rung: str
    scope: str
    year: int | None
    source: str
    licence: str
    market_rci_gco2e_per_kwh: float | None = None
    wue_l_per_kwh: float | None = None
    wue_basis: str | None = None
    factor_region_id: str = ""
    level: str = ""
    name: str = ""
    valid_from: str | None = None
    note: str = ""
    placement_log_sd: float = 0.0
    hours: HourlyRange | None = None
    """Of a place whose value changes by the hour."""
    provisional: bool = False
    """Whether the value is an estimate that a final one will follow."""
    overlaid: bool = False
    """Whether the value is of the user's own table or factor set."""

    def is_hourly_at(self, at_us: int) -> bool:
        """Whether there is a value of the hour that an instant is in."""
        return self.hours is not None and self.hours.at(at_us) is not None

    def rci_at(self, at_us: int) -> Range:
        """The value of the hour that an instant is in, where there is one; else the value."""
        return (self.hours and self.hours.at(at_us)) or self.rci_gco2e_per_kwh


@dataclass(frozen=True, slots=True)
class MarketFactor:
    """A market-based carbon intensity (gCO2e/kWh), on what it rests, and over which time it is matched."""

    instrument: str
    rci_gco2e_per_kwh: float
    granularity: str
    source: str
    year: int | None = None
    hours: Hours | None = None
    """Of an intensity that changes by the hour."""
    provisional: bool = False
    """Whether it is an estimate that a final one will follow."""

    def rci_at(self, at_us: int) -> float:
        """The value of the hour that an instant is in, where there is one; else the value."""
        found = None if self.hours is None else self.hours.at(at_us)
        return self.rci_gco2e_per_kwh if found is None else found


@dataclass(frozen=True, slots=True)
class PueFactor:
    """Facility energy over IT energy. `rung`: region, factsheet, fleet, assumption, vendor, hosted, industry or default.

    `log_sd` is the standard deviation of its logarithm, `host` whose machines it is of (a provider's id or a cloud's
    region), an empty string where that is unknown.
    """

    pue: float
    rung: str
    source: str
    year: int | None = None
    valid_from: str | None = None
    note: str = ""
    log_sd: float = 0.0
    host: str = ""


@dataclass(frozen=True, slots=True)
class HostFactor:
    """How a provider serves models. `rung`: provider, vendor (nobody said who served it) or default.

    `hardware` and `regions` are names with shares that sum to 1; empty where nothing is known.
    """

    provider: str
    profile: str
    hardware: tuple[tuple[str, float], ...]
    hardware_source: str
    pue: Range | None
    pue_source: str
    regions: tuple[tuple[str, float], ...]
    regions_source: str
    rung: str
    source: str
    valid_from: str | None = None
    note: str = ""

    def at_rung(self, rung: str) -> Self:
        """The same facts, found another way."""
        return replace(self, rung=rung)


@dataclass(frozen=True, slots=True)
class PriceFactor:
    """A list price of a model and the lowest of each kind that anybody lists for it.

    `rung`: provider (its own list), vendor (the model's maker's list) or listed (the middle one of the others').
    """

    provider: str
    model: str
    usd_per_mtok: ListPrice
    lowest_usd_per_mtok: ListPrice
    rung: str
    evidence_id: str
    source: str
    valid_from: str | None = None
    overlaid: bool = False
    source_date: str = ""
    """When the list was read, where the price has no date of its own."""

    def with_lowest(self, lowest: ListPrice, rung: str) -> Self:
        """The same price beside what others list."""
        return replace(self, lowest_usd_per_mtok=lowest, rung=rung)

    @property
    def bound_usd_per_mtok(self) -> ListPrice:
        """What no request's energy may cost more than: the provider's own list, else the lowest of all."""
        return self.usd_per_mtok if self.rung == "provider" else self.lowest_usd_per_mtok


@dataclass(frozen=True, slots=True)
class HardwareFactor:
    """One accelerator. Peaks are dense (without sparsity), per device, in 1e12 operations a second.

    `known` is False for a name that no row carries: the figures are then those of `DEFAULT_HARDWARE`.
    `tdp_published` is False where the maker states no power limit and the row says what was assumed.
    """

    hardware: str
    known: bool
    rung: str
    vendor: str
    tdp_w: float
    tdp_published: bool
    memory_gb: float
    memory_bandwidth_gb_s: float
    peak_tflops_fp16: float
    peak_tflops_fp8: float | None
    peak_tops_int8: float | None
    peak_tflops_fp4: float | None
    idle_w: float | None
    embodied_kgco2e: float | None
    embodied_source: str | None
    source: str
    note: str = ""
