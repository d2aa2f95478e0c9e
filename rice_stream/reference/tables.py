"""The columns of every reference table: the one place where a table's shape is defined.

The reader (`reading.py`) checks each file against these; docs/reference-data.md describes them in words.
"""

from dataclasses import dataclass
from typing import Literal

from rice_stream.quantities import (
    KV_BYTES_PER_TOKEN_LIMITS,
    PARAMS_B_LIMITS,
    PRECISIONS,
    PUE_LIMITS,
    RCI_GCO2E_PER_KWH_LIMITS,
    TDP_W_LIMITS,
    Limits,
)
from rice_stream.reference.types import SCOPES

Kind = Literal["text", "number", "flag", "date", "choice"]

FINITE = Limits()


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what its cells may hold. A column of numbers has `limits`, one of choices has `choices`."""

    name: str
    kind: Kind = "text"
    required: bool = False
    limits: Limits = FINITE
    choices: tuple[str, ...] = ()

    def allowed(self) -> str:
        """What a cell may hold, in words, for error messages."""
        words = {
            "text": "text",
            "number": str(self.limits),
            "flag": "true or false",
            "date": "an ISO date (2025-03-01) or UTC time (2025-03-01T00:00:00Z)",
            "choice": "one of " + ", ".join(self.choices),
        }[self.kind]
        return words if self.required else f"{words}, or nothing"


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """One CSV file: its columns in order and the columns that identify a row (besides the dates, where dated)."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    dated: bool = False

    @property
    def file_name(self) -> str:
        return f"{self.name}.csv"


def _text(name: str, *, required: bool = False) -> Column:
    return Column(name, "text", required)


def _number(name: str, limits: Limits, *, required: bool = False) -> Column:
    return Column(name, "number", required, limits)


def _between(low: float, high: float, *, whole: bool = False) -> Limits:
    return Limits(at_least=low, up_to=high, whole=whole)


def _choice(name: str, *choices: str) -> Column:
    return Column(name, "choice", required=True, choices=choices)


_DATES = (Column("valid_from", "date"), Column("valid_to", "date"))
_SOURCE = (_text("source", required=True), _text("note"))
_YEAR = _number("year", _between(1990, 2100, whole=True))


def _params(prefix: str) -> tuple[Column, ...]:
    return tuple(_number(f"{prefix}{suffix}", PARAMS_B_LIMITS) for suffix in ("_low", "", "_high"))


SOURCES = ReferenceTable(
    "sources",
    (
        _text("source_id", required=True),
        _text("name", required=True),
        _text("version"),
        _text("published"),
        _text("licence", required=True),
        _text("url", required=True),
        _text("note"),
    ),
    ("source_id",),
)

MODELS = ReferenceTable(
    "models",
    (
        _text("model_id", required=True),
        _text("owner", required=True),
        *_params("params_total_b"),
        *_params("params_active_b"),
        _number("layers", _between(1, 1000)),
        _number("kv_layers", _between(0, 1000)),
        _number("kv_heads", _between(1, 1000)),
        _number("head_dim", _between(1, 4096)),
        _number("kv_bytes_per_token", KV_BYTES_PER_TOKEN_LIMITS),
        Column("rotary", "flag"),
        Column("precision", "choice", choices=PRECISIONS),
        Column("estimated", "flag", required=True),
        *_DATES,
        *_SOURCE,
    ),
    ("model_id",),
    dated=True,
)

ALIASES = ReferenceTable(
    "aliases",
    (
        _text("alias", required=True),
        _text("provider"),
        _text("model_id", required=True),
        _choice("rung", "exact", "alias", "dated"),
        *_DATES,
        *_SOURCE,
    ),
    ("alias", "provider"),
    dated=True,
)

FALLBACKS = ReferenceTable(
    "fallbacks",
    (
        _text("fallback_id", required=True),
        _choice("rung", "family", "size_class", "provider", "default"),
        _text("pattern", required=True),
        *_params("params_total_b"),
        *_params("params_active_b"),
        *_SOURCE,
    ),
    ("fallback_id", "pattern"),
)

HARDWARE = ReferenceTable(
    "hardware",
    (
        _text("hardware", required=True),
        _text("vendor", required=True),
        _text("aliases"),
        _number("tdp_w", TDP_W_LIMITS, required=True),
        Column("tdp_published", "flag", required=True),
        _number("memory_gb", _between(1, 10_000), required=True),
        _number("memory_bandwidth_gb_s", _between(1, 1_000_000), required=True),
        _number("peak_tflops_fp16", _between(0.1, 1_000_000), required=True),
        _number("peak_tflops_fp8", _between(0.1, 1_000_000)),
        _number("peak_tops_int8", _between(0.1, 1_000_000)),
        _number("peak_tflops_fp4", _between(0.1, 1_000_000)),
        _number("idle_w", _between(0, 20_000)),
        _number("embodied_kgco2e", _between(0, 100_000)),
        _text("embodied_source"),
        *_SOURCE,
    ),
    ("hardware",),
)

REGION_KINDS = ("cloud_region", "grid_zone", "subregion", "state", "country", "area", "world")

REGIONS = ReferenceTable(
    "regions",
    (
        _text("region_id", required=True),
        _choice("kind", *REGION_KINDS),
        _text("provider"),
        _text("name", required=True),
        _text("country"),
        _text("ladder"),
        _text("spellings"),
        Column("split_grid", "flag"),
        *_SOURCE,
    ),
    ("region_id",),
)

RCI = ReferenceTable(
    "rci",
    (
        _text("region_id", required=True),
        _choice("scope", *SCOPES),
        _choice("signal", "average", "marginal"),
        _choice("accounting", "location", "market"),
        _number("rci_gco2e_per_kwh", RCI_GCO2E_PER_KWH_LIMITS, required=True),
        _YEAR,
        *_DATES,
        *_SOURCE,
    ),
    ("region_id", "scope", "signal", "accounting"),
    dated=True,
)

PUE = ReferenceTable(
    "pue",
    (
        _text("subject", required=True),
        _choice("basis", "region", "factsheet", "fleet", "industry", "assumption"),
        _number("pue", PUE_LIMITS, required=True),
        _YEAR,
        *_DATES,
        *_SOURCE,
    ),
    ("subject",),
    dated=True,
)

WUE = ReferenceTable(
    "wue",
    (
        _text("subject", required=True),
        _choice("basis", "region", "factsheet", "fleet", "industry", "assumption"),
        _number("wue_l_per_kwh", _between(0, 20), required=True),
        _YEAR,
        *_DATES,
        *_SOURCE,
    ),
    ("subject",),
    dated=True,
)

PROVIDERS = ReferenceTable(
    "providers",
    (
        _text("provider", required=True),
        _text("spellings"),
        _text("owner"),
        _text("fleet"),
        Column("fleet_basis", "choice", choices=("fleet", "assumption")),
        _text("region"),
        *_SOURCE,
    ),
    ("provider",),
)

SPREADS = ReferenceTable(
    "spreads",
    (
        _choice("quantity", "rci", "params", "params_total"),
        Column("scope", "choice", choices=SCOPES),
        _text("rung", required=True),
        _number("factor_low", _between(0.001, 1), required=True),
        _number("factor_mid", _between(0.1, 10), required=True),
        _number("factor_high", _between(0.1, 1000), required=True),
        *_SOURCE,
    ),
    ("quantity", "scope", "rung"),
)

TABLES = (SOURCES, MODELS, ALIASES, FALLBACKS, HARDWARE, REGIONS, RCI, PUE, WUE, PROVIDERS, SPREADS)
"""In the order in which they are read and digested."""
