"""Answers about models, regions and estimates."""

from typing import Any

from rice_stream.api.document.accounting import WindowBounds
from rice_stream.api.document.shapes import Answer, Carbon, FactorMeta, Measure, Versions


class Model(Answer):
    """A model of the tables; sizes are in billions of parameters."""

    model_id: str
    owner: str
    benchmark_only: bool
    params_total_b: Measure
    params_active_b: Measure
    kv_bytes_per_token: float | None
    layers: float | None
    rotary: bool | None
    layer_operations: float | None
    routed_share: float | None
    state_bytes: float | None
    precision: str | None
    estimated: bool
    rung: str
    valid_from: str | None
    source: str
    note: str
    aliases: list[str]
    aliases_total: int


class ModelCard(Answer):
    """What is known of a model, what is assumed, and what a request comes to."""

    model: str
    asked: str
    owner: str
    rung: str
    estimated: bool
    params_total_b: Measure
    params_active_b: Measure
    layers: float | None
    kv_bytes_per_token: float | None
    source: str
    note: str
    served: dict[str, Any]
    price: dict[str, Any] | None
    request: dict[str, Any]
    range_factors: dict[str, float]
    evidence: list[dict[str, Any]]
    versions: Versions
    meta: FactorMeta


class RegionIntensity(Answer):
    """Carbon intensity of a region in one scope, and where it is from."""

    rci_gco2e_per_kwh: Measure
    rung: str
    factor_region_id: str
    year: int | None
    source: str
    licence: str


class Region(Answer):
    """A place of the tables."""

    region_id: str
    kind: str
    name: str
    country: str | None
    ladder: list[str]
    rci: dict[str, RegionIntensity]
    market_rci_gco2e_per_kwh: Any
    pue: float | None
    pue_rung: str
    pue_source: str
    wue_l_per_kwh: float | None
    wue_basis: str | None


class RankedModel(Answer):
    """A model's place."""

    rank: int
    model: str
    model_resolved: str
    carbon_gco2e_per_prompt: Measure
    carbon_gco2e_per_1000_output_tokens: Measure | None
    facility_energy_wh: Measure
    hardware: str
    devices: float
    batch_size: float
    precision: str
    ratio_to_first: Measure | None
    uncertain_against: list[str]
    basis: list[str]


class Ranking(Answer):
    """Models by the carbon of one request, lowest first."""

    input_tokens: int
    output_tokens: int
    region: str
    method: str
    versions: Versions
    models_total: int
    rows: list[RankedModel]


class ComparedCarbon(Carbon):
    """Energy and carbon of one side."""


class Compared(Answer):
    """Traffic as it was recorded, as it was served, and with the change."""

    prompts: int
    input_tokens: int
    output_tokens: int
    recorded: ComparedCarbon
    as_served: ComparedCarbon
    changed: ComparedCarbon
    ratio: float | None
    ratio_range: Measure | None
    certain: bool
    saving_gco2e: Measure
    saving_share: Measure | None


class ComparedModel(Compared):
    """The same of one model, as recorded."""

    model: str


class Comparison(Answer):
    """What recorded traffic would have emitted otherwise."""

    tenant: str | None
    window: WindowBounds
    change: dict[str, Any]
    share: float
    method: str
    versions: Versions
    methods_recorded: list[str]
    total: Compared
    by_model: list[ComparedModel]


class Contribution(Answer):
    """A part of the range: standard deviation of the logarithm, and its share of the variance."""

    name: str
    log_sd: float
    share: float


class Estimate(Answer):
    """One request; joules are of all its GPUs, and of its share of their batch."""

    method: str
    model: str | None
    hardware: str
    devices: float
    batch_size: float
    precision: str
    pue: float
    region: str
    rci_gco2e_per_kwh: float
    route: str
    contributions: list[Contribution]
    versions: Versions
    prefill_j: float
    decode_j: float
    gpu_energy_j: float
    gpu_energy_j_low: float
    gpu_energy_j_high: float
    it_energy_wh: float
    facility_energy_wh: float
    latency_s: float
    carbon_gco2e: Measure
    basis: list[str]
    embodied_gco2e: Measure | None
    water_l: Measure | None


class EstimateRows(Answer):
    """Several requests, in their order."""

    rows: list[Estimate]
