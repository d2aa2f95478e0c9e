"""What the bytes of a run of shared fields say, read by the rules of the whole event."""

from typing import Any

import msgspec

from rice_stream.events.canonical import WireEvent
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.metered_energy import ENERGY_FIELDS
from rice_stream.events.stated_factors import FACTOR_FIELDS
from rice_stream.events.together.layouts import OWN_FIELDS, Run, fields_of

_SharedFields = msgspec.defstruct(
    "_SharedFields",
    [(field.name, field.type, None) for field in msgspec.structs.fields(WireEvent) if field.name not in OWN_FIELDS],
)
_DECODER = msgspec.json.Decoder(_SharedFields)
_NUL = b"\\u0000"
_STATED = (*FACTOR_FIELDS, *ENERGY_FIELDS)
"""What an event states of itself is looked at event by event."""

Said = dict[str, Any]


def said_by(text: bytes, run: Run) -> Said | None:
    """The fields that a run holds, by name; None where an event with these is not read together: they are not those of
    the run, or not as they have to be, or state factors or energy."""
    if _NUL in text or fields_of(text) != run.fields:
        return None
    try:
        shared = _DECODER.decode(b"{" + text[1:] + b"}")
    except JSON_ERRORS:
        return None
    said = {field: getattr(shared, field) for field in run.fields}
    return None if any(said.get(field) is not None for field in _STATED) else said
