"""Vertex AI: rows of the Cloud Billing export (from BigQuery, as JSON or CSV)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rice_stream.reports.usage_exports.rows import NotUsage, Read, UsageRow, first_of, instant_us, whole

_WAY = re.compile(r"\b(?P<way>input|output)\b", re.I)
_CACHED = re.compile(r"\bcach", re.I)
_AFTER_MODEL = re.compile(r"\s+(?:GA|text|image|audio|video|cach\w*|batch|thinking|long|short|input|output)\b", re.I)
_NO_TOKENS = re.compile(r"\b(?:character|image|second|hour|video count|storage)s?\b", re.I)


def read_vertex(document: Any) -> Iterator[Read]:
    """One row: `sku.description` names model, kind and direction, `usage.amount` is the number of tokens."""
    sku = str(_field(document, "sku", "description") or "")
    found = _WAY.search(sku)
    unit = str(_field(document, "usage", "unit") or "")
    if found is None or _NO_TOKENS.search(sku) or _NO_TOKENS.search(unit):
        yield NotUsage(f"the SKU {sku or 'that is missing'} is not one of tokens")
        return
    tokens = whole(_field(document, "usage", "amount"), "usage.amount")
    end = first_of(document, "usage_end_time")
    row = UsageRow(
        instant_us(first_of(document, "usage_start_time", "usage_start_date"), "usage_start_time"),
        None if end is None else instant_us(end, "usage_end_time"),
        "-".join(_AFTER_MODEL.split(sku, maxsplit=1)[0].lower().split()),
    )
    if found["way"].lower() == "output":
        yield row._replace(output_tokens=tokens)
    else:
        yield row._replace(input_tokens=tokens, cached_tokens=tokens if _CACHED.search(sku) else 0)


def _field(row: Mapping[str, Any], outer: str, inner: str) -> Any:
    """Of nested JSON, or of a flat row of CSV."""
    nested = row.get(outer)
    if isinstance(nested, Mapping):
        return nested.get(inner)
    return first_of(row, f"{outer}.{inner}", f"{outer}_{inner}")
