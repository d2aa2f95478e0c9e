"""A decoded event as canonical JSON: what is put on Kafka where other formats are understood before they get there."""

import msgspec

from rice_stream.events.canonical import WireEvent

_ALWAYS = frozenset({"input_tokens", "output_tokens"})
"""Written also where they are null: null is not zero, and not forgotten."""


def event_json(event: WireEvent) -> bytes:
    """The event as the worker's fast path reads it, without the fields that it does not have."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return msgspec.json.encode({name: v for name, v in fields.items() if v is not None or name in _ALWAYS})
