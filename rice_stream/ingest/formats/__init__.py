"""Events where they already are: gateways, telemetry pipelines and providers' replies. One module per format.

`decode(record, options)` is the way in: bytes and headers -> events, refusals and ignored items. A format module turns
one object into event fields (`decode_object`); what formats share has a module by its subject (tokens, times, tenants,
regions, usage objects). docs/event-formats.md has every field.
"""

from rice_stream.ingest.formats.dispatch import Outcome, decode, read
from rice_stream.ingest.formats.items import Ignored
from rice_stream.ingest.formats.options import DEFAULT_OPTIONS, FORMATS, FormatOptions
from rice_stream.ingest.formats.tenants import AttributionRule, parse_rules

__all__ = [
    "DEFAULT_OPTIONS",
    "FORMATS",
    "AttributionRule",
    "FormatOptions",
    "Ignored",
    "Outcome",
    "decode",
    "parse_rules",
    "read",
]
