"""What goes into decoding (records as they lie on Kafka) and what comes out: events, refused items and ignored ones."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from rice_stream.events.canonical import WireEvent

FURTHER_ITEMS = "further_items"
"""Reason code of the one row that stands for refused items of a record beyond those that are kept one by one."""
BATCH_NOT_UNPACKED = "batch_not_unpacked"
"""Reason code of the one row that stands for all records of a compressed batch that the worker did not unpack."""
DOOR_REFUSALS_START = b'[{"specversion":"1.0","type":"dev.rice.refused.v1"'
"""How a record begins that tells of what a door has refused (`door_refusals`)."""


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


class SkippedBatch(NamedTuple):
    """A compressed batch that was not unpacked, in the place of its records: it lies at the offset of the last of them."""

    first_offset: int
    offset: int
    packed_bytes: int
    problem: str
    timestamp: int | None = None
    timestamp_type: int | None = None
    value: bytes = b""
    headers: tuple[tuple[str, bytes], ...] = ()
    key: bytes | None = None


class SourcePartition(NamedTuple):
    """The partition that fetched records lie in: they do not carry it themselves."""

    topic: str
    partition: int


def placed(fetched: Any, partition: SourcePartition | None) -> RawRecord:
    """A record as Kafka's client gives it (offset, value, headers, key, timestamp in ms), with the partition that it lies in."""
    if isinstance(fetched, RawRecord):
        return fetched if partition is None else fetched._replace(**partition._asdict())
    if partition is None:
        raise TypeError("a fetched record does not say which partition it lies in: give it")
    # Records of the first Kafka versions have none, which clients give as None or as -1.
    timestamp_us = fetched.timestamp * 1000 if fetched.timestamp is not None and fetched.timestamp > 0 else None
    return RawRecord(*partition, fetched.offset, fetched.value, tuple(fetched.headers), timestamp_us, fetched.key)


@dataclass(frozen=True, slots=True)
class Refused:
    """One item of a record that should be an event and is not: for the quarantine.

    `reason` is a code (docs/operations.md lists them), `detail` names the field at fault, `payload` is redacted: names
    and counts, never text.
    """

    record: RawRecord
    item: int
    reason: str
    detail: str
    payload: str
    source_format: str = "canonical"
    items: int = 1
    """How many items it stands for: more than one only with the reason `further_items`."""

    @property
    def digest(self) -> bytes:
        """Of the whole record's bytes: part of the key under which the quarantine holds it."""
        return hashlib.blake2b(self.record.value or b"", digest_size=16).digest()

    @property
    def at_a_door(self) -> bool:
        """Whether HTTP or the LiteLLM callback has refused it already: no reader of the topic can mend that."""
        return self.record.value is not None and self.record.value.startswith(DOOR_REFUSALS_START)


class Refusal(NamedTuple):
    """Why an item is refused, as far as its format knows it; `fields` are the event fields that were understood."""

    reason: str
    detail: str
    fields: dict[str, Any] | None = None


class RefusedError(Exception):
    """Carries reason and detail from where a problem is found to where its item is refused."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def refusal(self, fields: dict[str, Any] | None = None) -> Refusal:
        """The same as a value."""
        return Refusal(self.reason, self.detail, fields)


class TooManyItemsError(Exception):
    """A record holds more items than its reader takes."""

    def __init__(self, items_max: int) -> None:
        super().__init__(f"more than {items_max:,} items")


class Ignored(NamedTuple):
    """Well understood and not a request to a model of its own: nothing is counted, nothing is wrong."""

    reason: str
    detail: str = ""


class Decoded(NamedTuple):
    """The events of a batch of records, in the order they came, and what was refused. Nothing is in neither.

    `records[i]` and `items[i]` say where `events[i]` was (an array or NDJSON record holds several items). `ignored` has
    (source format, reason) of every item that is well understood and no request to a model.
    """

    events: Sequence[WireEvent]
    records: Sequence[RawRecord]
    items: list[int]
    refused: list[Refused]
    ignored: list[tuple[str, str]]

    def add(self, event: WireEvent, record: RawRecord, item: int) -> None:
        """Append an event, where the events and records are lists."""
        cast("list[WireEvent]", self.events).append(event)
        cast("list[RawRecord]", self.records).append(record)
        self.items.append(item)

    def extend(self, block: "Decoded") -> None:
        """Append what another block of records gave, where the own events and records are lists."""
        cast("list[WireEvent]", self.events).extend(block.events)
        cast("list[RawRecord]", self.records).extend(block.records)
        self.items.extend(block.items)
        self.refused.extend(block.refused)
        self.ignored.extend(block.ignored)
