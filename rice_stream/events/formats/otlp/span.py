"""A span or a log record as the protobuf and the JSON reader both hand it over: only what is wanted of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from rice_stream.events.formats.otlp import attributes as names
from rice_stream.events.formats.reading.options import FormatOptions


class OtlpSpan(NamedTuple):
    """`start_ns` and `end_ns` as they came (a log record has one time, in `end_ns`); ids in lower-case hex or ""."""

    is_log: bool
    name: str
    event_name: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: object
    end_ns: object
    failed: bool
    scope: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


def wanted_names(options: FormatOptions) -> frozenset[str]:
    """The attributes to read; texts only where the user wants their length."""
    wanted = names.WANTED | options.attribute_names if options.attribute_names else names.WANTED
    return wanted | names.TEXT if options.reads_texts else wanted


def hex_id(raw: bytes) -> str:
    """Lower-case hex; "" for the invalid id of zeros."""
    return raw.hex() if any(raw) else ""
