"""Event fields -> an event, or the reason why not. `CanonicalEvent` decides; this module only decides quickly."""

import msgspec
from pydantic import ValidationError

from rice_stream.events.canonical import FIELD_NAMES, CanonicalEvent, WireEvent, describe_problems, to_wire
from rice_stream.events.formats.reading.items import EventFields, is_untimed
from rice_stream.events.records import Refusal
from rice_stream.events.redact import UNTIMED


def accept(fields: EventFields) -> WireEvent | Refusal:
    """The event of these fields. Times must be spelled as `moments.spell` does."""
    quick = _quickly(fields)
    if quick is not None:
        return quick
    try:
        return to_wire(CanonicalEvent.model_validate(fields))
    except ValidationError as error:
        reason, detail = describe_problems(error)
        return Refusal(reason, detail, fields)


def _quickly(fields: EventFields) -> WireEvent | None:
    """The event if nothing about it is odd. A property test holds this to what the model says."""
    try:
        event = msgspec.convert(fields, WireEvent)
    except msgspec.ValidationError:
        return None
    if "\x00" in "".join([value for value in fields.values() if type(value) is str]):
        return None
    cached = (event.cache_read_input_tokens or 0) + (event.cache_write_input_tokens or 0)
    consistent = (
        (event.request_model or event.response_model)
        and (event.input_tokens is None or cached <= event.input_tokens)
        and (event.output_tokens is None or (event.reasoning_output_tokens or 0) <= event.output_tokens)
        # One spelling of times, so their order is the order of their texts.
        and (event.started_at is None or event.started_at <= event.ended_at)
    )
    return event if consistent else None


def understood(fields: EventFields) -> dict[str, object]:
    """What may be kept of refused fields: the canonical ones, and whether their time is only that of the record."""
    kept = {name: fields[name] for name in FIELD_NAMES if name in fields}
    return {**kept, UNTIMED: True} if is_untimed(fields.get("notes", ())) else kept
