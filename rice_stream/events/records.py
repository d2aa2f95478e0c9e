"""What goes into decoding (records as they lie on Kafka) and what comes out (events or reasons)."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from rice_stream.events.canonical import WireEvent


class RawRecord(NamedTuple):
    """One Kafka record, or one line of a file (topic = its name, offset = its line number)."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_us: int | None = None
    """The broker's time of the record; None for a line of a file."""
    key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one item of a record is not an event. `payload` is redacted: names and counts, never text."""

    record: RawRecord
    item: int
    reason: str
    detail: str
    payload: str
    source_format: str = "canonical"

    @property
    def digest(self) -> bytes:
        """Of the whole record's bytes: part of the key under which the quarantine holds it."""
        return hashlib.blake2b(self.record.value or b"", digest_size=16).digest()


class Decoded(NamedTuple):
    """The events of a batch of records, in the order they came, and what was rejected. Nothing is in neither.

    `records[i]` and `items[i]` say where `events[i]` was (an array or NDJSON record holds several items). `ignored` has
    (source format, reason) of every item that is well understood and no request to a model.
    """

    events: list[WireEvent]
    records: list[RawRecord]
    items: list[int]
    rejections: list[Rejection]
    ignored: list[tuple[str, str]]

    def extend(self, more: "Decoded") -> None:
        """Append what another block of records gave."""
        self.events.extend(more.events)
        self.records.extend(more.records)
        self.items.extend(more.items)
        self.rejections.extend(more.rejections)
        self.ignored.extend(more.ignored)
