"""What one format module hands back, and what it knows of the record an item came from."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from rice_stream.events.records import RawRecord

EventFields = dict[str, Any]
"""Canonical field names -> values, before `CanonicalEvent` has judged them; beside them `source_format`,
`region_source` (where `inference_region` is from) and `notes` (tuple of words: what had to be assumed)."""

NO_ENVELOPE: Mapping[str, str] = MappingProxyType({})


class Ignored(NamedTuple):
    """Well understood and not a request to a model of its own: nothing is counted, nothing is wrong."""

    reason: str
    detail: str = ""


class Refused(NamedTuple):
    """An item that should be an event and is not: for the quarantine. `fields` is what was understood of it."""

    reason: str
    detail: str
    fields: EventFields | None = None


Item = EventFields | Ignored | Refused


class RefusedError(Exception):
    """Carries reason and detail from the place that found it to the place that makes a `Refused` of it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def as_item(self, fields: EventFields | None = None) -> Refused:
        """The same as a value."""
        return Refused(self.reason, self.detail, fields)


class Origin(NamedTuple):
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
        time_us = getattr(self.record, "timestamp_us", None)
        return time_us if isinstance(time_us, int) and time_us > 0 else None

    def find(self, name: str) -> object:
        """`kafka.topic`, `kafka.key` or `kafka.header.NAME`, for rules that name a tenant by them; else None."""
        if name == "kafka.topic":
            return self.record.topic
        if name == "kafka.key":
            key = getattr(self.record, "key", None)
            return key.decode("utf-8", "replace") if isinstance(key, bytes) else None
        wanted = name.removeprefix("kafka.header.").lower()
        for header, value in self.record.headers:
            if header.lower() == wanted and value is not None:
                return value.decode("utf-8", "replace")
        return None
