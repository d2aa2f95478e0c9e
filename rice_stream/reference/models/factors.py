"""One row of models.csv or fallbacks.csv as a factor."""

import math

from rice_stream.quantities import Range
from rice_stream.reference.reading import Row
from rice_stream.reference.sources import SourceTable
from rice_stream.reference.types import ModelFactor

KV_VALUES = 2
"""A key and a value per head."""
KV_BYTES_PER_VALUE = 2
"""Caches are counted at 16 bits; a method that assumes another width scales."""
BENCHMARK_SOURCES = frozenset(
    {
        "helm-efficiency",
        "hf-benchmarked",
        "llm-perf-2024",
        "llm-perf-2026",
        "ml-energy-2023",
        "ml-energy-v2",
        "ml-energy-v3",
        "rice-measured",
    }
)
"""Sources of rows that stand in the table because somebody measured the model."""


def model_factor(row: Row, sources: SourceTable) -> ModelFactor:
    """One row of models.csv or fallbacks.csv as a factor with rung `exact`, or the fallback's own."""
    fallback = "fallback_id" in row.cells
    total = _range(row, "params_total_b")
    active = _range(row, "params_active_b", total)
    return ModelFactor(
        model_id=row.text("fallback_id") if fallback else row.text("model_id"),
        params_total_b=total,
        params_active_b=active,
        kv_bytes_per_token=None if fallback else _kv_bytes_per_token(row),
        precision=None if fallback else row.text("precision") or None,
        rung=row.text("rung") if fallback else "exact",
        source=sources.describe(row.text("source")),
        valid_from=row.valid_from,
        estimated=True if fallback else row.flag("estimated"),
        owner="" if fallback else row.text("owner"),
        note=row.text("note"),
        benchmark_only=row.text("source") in BENCHMARK_SOURCES,
        layers=None if fallback else row.optional_number("layers"),
        rotary=None if fallback else row.optional_flag("rotary"),
        layer_operations=None if fallback else row.optional_number("layer_operations"),
        routed_share=None if fallback else _routed_share(row),
        state_bytes=None if fallback else row.optional_number("state_bytes"),
        overlaid=row.overlaid,
        source_date=sources.published(row.text("source")),
    )


def _range(row: Row, prefix: str, default: Range | None = None) -> Range:
    low, mid, high = (row.optional_number(prefix + suffix) for suffix in ("_low", "", "_high"))
    if low is not None and high is not None:
        return Range(low, math.sqrt(low * high) if mid is None else mid, high)
    if mid is not None:
        return Range.exact(mid)
    if default is None:
        raise KeyError(prefix)
    return default


def _routed_share(row: Row) -> float | None:
    """Experts of a token over all experts of a layer, where both are known."""
    experts, chosen = row.optional_number("experts"), row.optional_number("experts_per_token")
    return None if experts is None or chosen is None else chosen / experts


def _kv_bytes_per_token(row: Row) -> float | None:
    """Stated, or 2 (key, value) x growing layers x key-value heads x head size x 2 bytes."""
    stated = row.optional_number("kv_bytes_per_token")
    layers, heads, size = (row.optional_number(name) for name in ("layers", "kv_heads", "head_dim"))
    if stated is not None or layers is None or heads is None or size is None:
        return stated
    growing = row.optional_number("kv_layers")
    return KV_VALUES * (layers if growing is None else growing) * heads * size * KV_BYTES_PER_VALUE
