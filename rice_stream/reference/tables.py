"""The columns of every reference table: the one place where a table's shape is defined.

The reader (`reading.py`) checks each file against these; docs/reference-data.md describes them in words. Tables of hosted
models are in `hosted/tables.py`.
"""

from rice_stream.quantities import (
    KV_BYTES_PER_TOKEN_LIMITS,
    PARAMS_B_LIMITS,
    PRECISIONS,
    PUE_LIMITS,
    RCI_GCO2E_PER_KWH_LIMITS,
    TDP_W_LIMITS,
)
from rice_stream.reference.columns import (
    DATES,
    SOURCE,
    YEAR,
    Column,
    ReferenceTable,
    between,
    choice_column,
    number_column,
    text_column,
)
from rice_stream.reference.hosted.tables import CAPACITY, EVIDENCE, HOSTS, PRICES
from rice_stream.reference.types import GRANULARITIES, MARKET_INSTRUMENTS, SCOPES


def _params(prefix: str) -> tuple[Column, ...]:
    return tuple(number_column(f"{prefix}{suffix}", PARAMS_B_LIMITS) for suffix in ("_low", "", "_high"))


SOURCES = ReferenceTable(
    "sources",
    (
        text_column("source_id", required=True),
        text_column("name", required=True),
        text_column("version"),
        text_column("published"),
        text_column("licence", required=True),
        text_column("url", required=True),
        text_column("note"),
    ),
    ("source_id",),
)

MODELS = ReferenceTable(
    "models",
    (
        text_column("model_id", required=True),
        text_column("owner", required=True),
        *_params("params_total_b"),
        *_params("params_active_b"),
        number_column("layers", between(1, 1000)),
        number_column("kv_layers", between(0, 1000)),
        number_column("kv_heads", between(1, 1000)),
        number_column("head_dim", between(1, 4096)),
        number_column("kv_bytes_per_token", KV_BYTES_PER_TOKEN_LIMITS),
        Column("rotary", "flag"),
        number_column("layer_operations", between(1, 10_000)),
        number_column("experts", between(2, 10_000)),
        number_column("experts_per_token", between(1, 1000)),
        number_column("state_bytes", between(0, 1e12)),
        Column("precision", "choice", choices=PRECISIONS),
        Column("estimated", "flag", required=True),
        *DATES,
        *SOURCE,
    ),
    ("model_id",),
    dated=True,
)

ALIASES = ReferenceTable(
    "aliases",
    (
        text_column("alias", required=True),
        text_column("provider"),
        text_column("model_id", required=True),
        choice_column("rung", "exact", "alias", "dated"),
        *DATES,
        *SOURCE,
    ),
    ("alias", "provider"),
    dated=True,
)

FALLBACKS = ReferenceTable(
    "fallbacks",
    (
        text_column("fallback_id", required=True),
        choice_column("rung", "family", "size_class", "provider", "default"),
        text_column("pattern", required=True),
        *_params("params_total_b"),
        *_params("params_active_b"),
        *SOURCE,
    ),
    ("fallback_id", "pattern"),
)

HARDWARE = ReferenceTable(
    "hardware",
    (
        text_column("hardware", required=True),
        text_column("vendor", required=True),
        text_column("aliases"),
        number_column("tdp_w", TDP_W_LIMITS, required=True),
        Column("tdp_published", "flag", required=True),
        number_column("memory_gb", between(1, 10_000), required=True),
        number_column("memory_bandwidth_gb_s", between(1, 1_000_000), required=True),
        number_column("peak_tflops_fp16", between(0.1, 1_000_000), required=True),
        number_column("peak_tflops_fp8", between(0.1, 1_000_000)),
        number_column("peak_tops_int8", between(0.1, 1_000_000)),
        number_column("peak_tflops_fp4", between(0.1, 1_000_000)),
        number_column("idle_w", between(0, 20_000)),
        number_column("embodied_kgco2e", between(0, 100_000)),
        text_column("embodied_source"),
        *SOURCE,
    ),
    ("hardware",),
)

REGION_KINDS = ("cloud_region", "grid_zone", "subregion", "state", "country", "area", "world")

REGIONS = ReferenceTable(
    "regions",
    (
        text_column("region_id", required=True),
        choice_column("kind", *REGION_KINDS),
        text_column("provider"),
        text_column("name", required=True),
        text_column("country"),
        text_column("ladder"),
        text_column("spellings"),
        Column("split_grid", "flag"),
        *SOURCE,
    ),
    ("region_id",),
)

RCI_MEANING = (
    choice_column("scope", *SCOPES),
    choice_column("signal", "average", "marginal"),
    choice_column("accounting", "location", "market"),
)
"""What an intensity is an intensity of."""

RCI = ReferenceTable(
    "rci",
    (
        text_column("region_id", required=True),
        *RCI_MEANING,
        number_column("rci_gco2e_per_kwh", RCI_GCO2E_PER_KWH_LIMITS, required=True),
        YEAR,
        *DATES,
        *SOURCE,
    ),
    ("region_id", "scope", "signal", "accounting"),
    dated=True,
)

MARKET = ReferenceTable(
    "market",
    (
        choice_column("instrument", *MARKET_INSTRUMENTS),
        text_column("provider"),
        text_column("region_id"),
        choice_column("scope", *SCOPES),
        number_column("rci_gco2e_per_kwh", RCI_GCO2E_PER_KWH_LIMITS, required=True),
        Column("granularity", "choice", choices=GRANULARITIES),
        YEAR,
        *DATES,
        *SOURCE,
    ),
    ("instrument", "provider", "region_id", "scope"),
    dated=True,
)

PUE = ReferenceTable(
    "pue",
    (
        text_column("subject", required=True),
        choice_column("basis", "region", "factsheet", "fleet", "hosted", "industry", "assumption"),
        number_column("pue", PUE_LIMITS, required=True),
        YEAR,
        *DATES,
        *SOURCE,
    ),
    ("subject",),
    dated=True,
)

WUE = ReferenceTable(
    "wue",
    (
        text_column("subject", required=True),
        choice_column("basis", "region", "factsheet", "fleet", "industry", "assumption"),
        number_column("wue_l_per_kwh", between(0, 20), required=True),
        YEAR,
        *DATES,
        *SOURCE,
    ),
    ("subject",),
    dated=True,
)

PROVIDERS = ReferenceTable(
    "providers",
    (
        text_column("provider", required=True),
        text_column("spellings"),
        text_column("owner"),
        text_column("fleet"),
        Column("fleet_basis", "choice", choices=("fleet", "assumption")),
        text_column("region"),
        *SOURCE,
    ),
    ("provider",),
)

SPREADS = ReferenceTable(
    "spreads",
    (
        choice_column("quantity", "rci", "pue", "params", "params_total"),
        Column("scope", "choice", choices=SCOPES),
        text_column("rung", required=True),
        number_column("factor_low", between(0.001, 1), required=True),
        number_column("factor_mid", between(0.1, 10), required=True),
        number_column("factor_high", between(0.1, 1000), required=True),
        *SOURCE,
    ),
    ("quantity", "scope", "rung"),
)

TABLES = (
    SOURCES,
    MODELS,
    ALIASES,
    FALLBACKS,
    HARDWARE,
    REGIONS,
    RCI,
    PUE,
    WUE,
    PROVIDERS,
    SPREADS,
    PRICES,
    HOSTS,
    CAPACITY,
    EVIDENCE,
    MARKET,
)
"""In the order in which they are read and digested."""
