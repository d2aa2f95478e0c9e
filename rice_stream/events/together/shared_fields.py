"""What the bytes of a run of shared fields say, read by the rules of the whole event."""

from collections.abc import Sequence
from operator import attrgetter
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
_DECODER_OF_MANY = msgspec.json.Decoder(list[_SharedFields])  # type: ignore[valid-type]
_NUL = b"\\u0000"
_STATED = (*FACTOR_FIELDS, *ENERGY_FIELDS)
"""What an event states of itself is looked at event by event."""

Said = tuple[Any, ...]
"""The values of a run's fields."""


class RunReader:
    """Reads the runs of some fields."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._written = run_pattern(fields)
        # `attrgetter` of one field gives no tuple.
        self._values = attrgetter(*fields) if len(fields) > 1 else lambda shared: (getattr(shared, fields[0]),)
        self._stated = [place for place, field in enumerate(fields) if field in _STATED]

    def read(self, texts: Sequence[bytes]) -> list[Said | None]:
        """What each run says; None where an event with it is not read together: its fields are others, or not as they
        have to be, or state factors or energy."""
        is_written = self._written.fullmatch
        objects = [b"{%b}" % text[1:] if _NUL not in text and is_written(text) else None for text in texts]
        try:
            # Runs as they have to be are objects however they are joined: strings end where they do in JSON.
            shared = iter(_DECODER_OF_MANY.decode(b"[%b]" % b",".join(filter(None, objects))))
        except JSON_ERRORS:
            return [None if written is None else self._alone(written) for written in objects]
        return [None if written is None else self._said(next(shared)) for written in objects]

    def _alone(self, written: bytes) -> Said | None:
        try:
            return self._said(_DECODER.decode(written))
        except JSON_ERRORS:
            return None

    def _said(self, shared: Any) -> Said | None:
        values: Said = self._values(shared)
        return None if self._stated and any(values[place] is not None for place in self._stated) else values
