"""Langfuse's SDKs from version 3 on send OTLP, with attributes of their own instead of `gen_ai.*`.

An observation says its type, its model, and its usage as a map in JSON: Langfuse's own disjoint classes, or the usage
object as the provider sent it.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from rice_stream.events.formats.langfuse import details_counts
from rice_stream.events.formats.reading.tokens import TokenCounts
from rice_stream.events.formats.reading.values import coerced, text
from rice_stream.events.formats.reading.vocabulary import EMBEDDINGS
from rice_stream.events.framing import JSON_ERRORS

TYPE = "langfuse.observation.type"
MODEL = "langfuse.observation.model.name"
USAGE_DETAILS = "langfuse.observation.usage_details"
LEVEL = "langfuse.observation.level"
TENANT = "langfuse.trace.metadata.tenant_id"
ENERGY_JOULES = "langfuse.observation.metadata.energy_joules"
ENERGY_BOUNDARY = "langfuse.observation.metadata.energy_boundary"
WANTED = (TYPE, MODEL, USAGE_DETAILS, LEVEL, TENANT)

_OPERATIONS = {"generation": "chat", "embedding": EMBEDDINGS}
_CHARACTERS_MAX = 8_192
_ANY = msgspec.json.Decoder()


def operation(attributes: Mapping[str, Any]) -> str | None:
    """The operation of a generation or an embedding; None for agents, tools, chains, retrievers and plain spans."""
    return _OPERATIONS.get((text(attributes.get(TYPE)) or "").lower())


def failed(attributes: Mapping[str, Any]) -> bool:
    """Whether the observation's level says so; not every SDK sets the span's status too."""
    return attributes.get(LEVEL) == "ERROR"


def has_usage(attributes: Mapping[str, Any]) -> bool:
    """Whether the map of usage has a number in it that is not 0."""
    return any(coerced(value) for value in _details(attributes).values())


def read_counts(attributes: Mapping[str, Any]) -> TokenCounts:
    """The counts of the map. RefusedError `invalid_field` names a count that is negative or none."""
    return details_counts(_details(attributes))


def _details(attributes: Mapping[str, Any]) -> dict[str, Any]:
    written = attributes.get(USAGE_DETAILS)
    if not isinstance(written, str) or len(written) > _CHARACTERS_MAX:
        return {}
    try:
        found = _ANY.decode(written)
    except JSON_ERRORS:
        return {}
    return found if isinstance(found, dict) else {}
