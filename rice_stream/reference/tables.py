"""The columns of every reference table: the one place where a table's shape is defined.

The reader (`reading.py`) checks each file against these; docs/reference-data.md describes them in words.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "whole", "flag", "date", "choice"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what its cells may hold. `low` and `high` are inclusive."""

    name: str
    kind: Kind = "text"
    required: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def allowed(self) -> str:
        """What a cell may hold, in words, for error messages."""
        words = {
            "text": "text",
            "number": "a number",
            "whole": "a whole number",
            "flag": "true or false",
            "date": "an ISO date (2025-03-01) or UTC time (2025-03-01T00:00:00Z)",
            "choice": "one of " + ", ".join(self.choices),
        }[self.kind]
        if self.low is not None and self.high is not None:
            words += f" from {self.low:g} to {self.high:g}"
        elif self.low is not None:
            words += f" of at least {self.low:g}"
        return words if self.required else f"{words}, or nothing"


@dataclass(frozen=True, slots=True)
class Table:
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


def _number(name: str, low: float, high: float, *, required: bool = False) -> Column:
    return Column(name, "number", required, low, high)


def _choice(name: str, *choices: str) -> Column:
    return Column(name, "choice", required=True, choices=choices)


_DATES = (Column("valid_from", "date"), Column("valid_to", "date"))
_SOURCE = (_text("source", required=True), _text("note"))
_YEAR = Column("year", "whole", low=1990, high=2100)
_PARAMS_HIGH = 20_000.0
PRECISIONS = ("fp32", "fp16", "bf16", "fp8", "int8", "int4", "mxfp4")


def _params(prefix: str) -> tuple[Column, ...]:
    return tuple(_number(f"{prefix}{suffix}", 1e-6, _PARAMS_HIGH) for suffix in ("_low", "", "_high"))


SOURCES = Table(
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

MODELS = Table(
    "models",
    (
        _text("model_id", required=True),
        _text("owner", required=True),
        *_params("params_total_b"),
        *_params("params_active_b"),
        _number("layers", 1, 1000),
        _number("kv_layers", 0, 1000),
        _number("kv_heads", 1, 1000),
        _number("head_dim", 1, 4096),
        _number("kv_bytes_per_token", 0, 1e8),
        Column("rotary", "flag"),
        Column("precision", "choice", choices=PRECISIONS),
        Column("estimated", "flag", required=True),
        *_DATES,
        *_SOURCE,
    ),
    ("model_id",),
    dated=True,
)

ALIASES = Table(
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

FALLBACKS = Table(
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

HARDWARE = Table(
    "hardware",
    (
        _text("hardware", required=True),
        _text("vendor", required=True),
        _text("aliases"),
        _number("tdp_w", 1, 20_000, required=True),
        Column("tdp_published", "flag", required=True),
        _number("memory_gb", 1, 10_000, required=True),
        _number("memory_bandwidth_gb_s", 1, 1e6, required=True),
        _number("peak_tflops_fp16", 0.1, 1e6, required=True),
        _number("peak_tflops_fp8", 0.1, 1e6),
        _number("peak_tops_int8", 0.1, 1e6),
        _number("peak_tflops_fp4", 0.1, 1e6),
        _number("idle_w", 0, 20_000),
        _number("embodied_kgco2e", 0, 100_000),
        _text("embodied_source"),
        *_SOURCE,
    ),
    ("hardware",),
)

REGION_KINDS = ("cloud_region", "grid_zone", "subregion", "state", "country", "area", "world")

REGIONS = Table(
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

RCI = Table(
    "rci",
    (
        _text("region_id", required=True),
        _choice("scope", "lifecycle", "direct"),
        _choice("signal", "average", "marginal"),
        _choice("accounting", "location", "market"),
        _number("rci_gco2e_per_kwh", 0, 2000, required=True),
        _YEAR,
        *_DATES,
        *_SOURCE,
    ),
    ("region_id", "scope", "signal", "accounting"),
    dated=True,
)

PUE = Table(
    "pue",
    (
        _text("subject", required=True),
        _choice("basis", "region", "factsheet", "fleet", "industry", "assumption"),
        _number("pue", 1, 3, required=True),
        _YEAR,
        *_DATES,
        *_SOURCE,
    ),
    ("subject",),
    dated=True,
)

WUE = Table(
    "wue",
    (
        _text("subject", required=True),
        _choice("basis", "region", "factsheet", "fleet", "industry", "assumption"),
        _number("wue_l_per_kwh", 0, 20, required=True),
        _YEAR,
        *_DATES,
        *_SOURCE,
    ),
    ("subject",),
    dated=True,
)

PROVIDERS = Table(
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

SPREADS = Table(
    "spreads",
    (
        _choice("quantity", "rci", "params", "params_total"),
        Column("scope", "choice", choices=("lifecycle", "direct")),
        _text("rung", required=True),
        _number("factor_low", 0.001, 1, required=True),
        _number("factor_mid", 0.1, 10, required=True),
        _number("factor_high", 0.1, 1000, required=True),
        *_SOURCE,
    ),
    ("quantity", "scope", "rung"),
)

TABLES = (SOURCES, MODELS, ALIASES, FALLBACKS, HARDWARE, REGIONS, RCI, PUE, WUE, PROVIDERS, SPREADS)
"""In the order in which they are read and digested."""
