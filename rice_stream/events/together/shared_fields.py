"""What the bytes of a run of shared fields say, read by the rules of the whole event."""

from typing import Any

import msgspec

from rice_stream.events.canonical import WireEvent
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.metered_energy import ENERGY_FIELDS
from rice_stream.events.stated_factors import FACTOR_FIELDS
from rice_stream.events.together.layouts import OWN_FIELDS, run_pattern

_SharedFields = msgspec.defstruct(
    "_SharedFields",
    [(field.name, field.type, None) for field in msgspec.structs.fields(WireEvent) if field.name not in OWN_FIELDS],
)
_DECODER = msgspec.json.Decoder(_SharedFields)
_NUL = b"\\u0000"
_STATED = (*FACTOR_FIELDS, *ENERGY_FIELDS)
"""What an event states of itself is looked at event by event."""

Said = dict[str, Any]


class RunReader:
    """Reads the runs of some fields."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._fields = fields
        self._written = run_pattern(fields)
        self._stated = [field for field in fields if field in _STATED]

    def read(self, text: bytes) -> Said | None:
        """What a run says, by field; None where an event with it is not read together: its fields are others, or not as they
        have to be, or state factors or energy."""
        if _NUL in text or self._written.fullmatch(text) is None:
            return None
        try:
            shared = _DECODER.decode(b"{" + text[1:] + b"}")
        except JSON_ERRORS:
            return None
        if any(getattr(shared, field) is not None for field in self._stated):
            return None
        return {field: getattr(shared, field) for field in self._fields}
