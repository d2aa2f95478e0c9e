"""What one format module hands back, and what it knows of the record an item came from."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from rice_stream.events.records import Ignored, RawRecord, Refusal

EventFields = dict[str, Any]
"""Canonical field names -> values, before `CanonicalEvent` has judged them; beside them `source_format`,
`region_source` (where `inference_region` is from) and `notes` (tuple of codes: what had to be assumed)."""

Item = EventFields | Ignored | Refusal

TIME_FROM_RECORD = "time_from_record"
"""Note: neither the item nor an envelope says when it was, so its record's time stands."""
ID_FROM_POSITION = "id_from_position"
"""Note: the item has no id, so its place in the topic stands for it."""

NO_ENVELOPE: Mapping[str, str] = MappingProxyType({})
UNEXPECTED = "unexpected_format"
"""Reason for an object that lacks the mark of the format that its topic is set to: no reason to pass it over."""
NOT_JSON = Refusal("not_json", "neither JSON nor JSON lines")
NOT_AN_OBJECT = Refusal("not_an_object", "must be a JSON object, an array of objects, or one object a line")


def refusal_of(text: bytes) -> Refusal:
    """Why the text is no object."""
    return NOT_AN_OBJECT if text[:1] != b"{" else NOT_JSON


def is_untimed(notes: Collection[str]) -> bool:
    """Whether an item with these notes has an id but no time of its own: another delivery of it may have another time.

    An item that is known by its place has the time of that place, which is the same at each delivery.
    """
    return TIME_FROM_RECORD in notes and ID_FROM_POSITION not in notes


class ItemOrigin(NamedTuple):
    """Where an item was: its record, its position in it, and the CloudEvents attributes around it.

    `part` counts the spans or log entries within the item.
    """

    record: RawRecord
    item: int = 0
    envelope: Mapping[str, str] = NO_ENVELOPE
    part: int = 0

    def position_id(self) -> str:
        """The last resort for an event id: stable for the same record, whoever reads it and however often."""
        record = self.record
        return f"{record.topic}:{record.partition}:{record.offset}:{self.item}.{self.part}"

    def record_time_us(self) -> int | None:
        """The broker's time of the record; None for records that carry none (lines of a file)."""
        time_us = self.record.timestamp_us
        return time_us if time_us is not None and time_us > 0 else None

    def find(self, name: str) -> object:
        """`kafka.topic`, `kafka.key` or `kafka.header.NAME`, for rules that name a tenant by them; else None."""
        if name == "kafka.topic":
            return self.record.topic
        if name == "kafka.key":
            key = self.record.key
            return key.decode("utf-8", "replace") if key is not None else None
        wanted = name.removeprefix("kafka.header.").lower()
        for header, value in self.record.headers:
            if header.lower() == wanted and value is not None:
                return value.decode("utf-8", "replace")
        return None
