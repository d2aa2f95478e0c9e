"""Rows as one canonical JSON document (RFC 8785), a piece for each batch; what a double may not hold exactly is text."""

from collections.abc import Iterator, Sequence
from typing import Any

from rice_stream.canonical_json import INTEGER_MAX, canonical_json
from rice_stream.instants import rfc3339
from rice_stream.reports.exports.columns import DECIMALS, ExportColumn, Rows, decimal_text


def json_bytes(columns: Sequence[ExportColumn], batches: Rows) -> Iterator[bytes]:
    """`{"rows":[{...}]}`; decimals and large whole numbers are text."""
    yield b'{"rows":['
    between = b""
    for batch in batches:
        rows = [
            canonical_json(
                {column.name: _value(column.kind, value) for column, value in zip(columns, row, strict=True)}
            )
            for row in batch
        ]
        if rows:
            yield between + b",".join(rows)
            between = b","
    yield b"]}"


def _value(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind in DECIMALS:
        return decimal_text(value, DECIMALS[kind])
    if kind == "instant":
        return rfc3339(value)
    if kind == "large" or (kind == "whole" and abs(value) > INTEGER_MAX):
        return str(value)
    return value
