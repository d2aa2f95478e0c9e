"""A body as canonical events: the decoders of the worker, at the door, so that prompt text never reaches Kafka."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from rice_stream.api.access.rights import EVERYTHING, Grant
from rice_stream.api.ingestion.counting import check_json, check_otlp
from rice_stream.api.ingestion.publishing import Outgoing
from rice_stream.events.canonical import WireEvent
from rice_stream.events.door_refusals import TENANT_NOT_ALLOWED
from rice_stream.events.event_json import event_json
from rice_stream.events.formats.dispatch import Outcome, outcomes
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.framing import without_registry_frame
from rice_stream.events.records import Ignored, RawRecord, Refused, TooManyItemsError
from rice_stream.events.redact import redact
from rice_stream.events.trust import DOOR_HEADER

TOPIC = "http"
"""Where an item without an id of its own is taken to be from; its offset is a digest of the body."""

ITEMS_MAX = 10_000
"""Items of one body: a few bytes each when packed, and a tenth of a millisecond."""
_JSON_STARTS = (b"{", b"[")
_NOT_KEPT: list[object] = []
"""Stands for a name that is not kept: `redact` removes what is no scalar."""


@dataclass(slots=True)
class Received:
    """What a body held."""

    events: list[Outgoing] = field(default_factory=list)
    ignored: int = 0
    refused: list[Refused] = field(default_factory=list)
    """Items that are no events; details name fields and never quote text."""
    forbidden: list[Refused] = field(default_factory=list)
    """Events of a tenant or team that the sender may not write."""
    forbidden_fields: list[str] = field(default_factory=list)
    """For each of them, the field that says so."""


def receive(
    body: bytes,
    headers: Iterable[tuple[str, str]],
    options: FormatOptions,
    grant: Grant = EVERYTHING,
    *,
    refused_max: int | None = None,
    sender: str = "",
) -> Received:
    """Understand a body. The same body gives the same events: a sender that repeats a request repeats its ids.

    What is checked against the sender's grant is the tenant that is put on Kafka, whatever rules and headers it comes
    from. After `refused_max` refused items the rest is not looked at. TooManyItemsError: more than ITEMS_MAX.
    ProblemError 413: more values than a body may have.
    """
    offset = int.from_bytes(hashlib.blake2b(body, digest_size=7).digest(), "big")
    record = RawRecord(TOPIC, 0, offset, body, tuple(_kafka_headers(headers)))
    _check_size(record)
    received = Received()
    for number, outcome in enumerate(outcomes(record, replace(options, items_max=ITEMS_MAX))):
        if number == ITEMS_MAX:
            raise TooManyItemsError(ITEMS_MAX)
        result = outcome.result
        if isinstance(result, WireEvent):
            _take(received, record, number, grant.attributed(result), grant, outcome, sender)
        elif isinstance(result, Refused):
            received.refused.append(replace(result, source_format=outcome.source_format))
            if len(received.refused) == refused_max:
                break
        elif isinstance(result, Ignored):
            received.ignored += 1
    return received


def _check_size(record: RawRecord) -> None:
    value = without_registry_frame(record.value or b"")
    check_json(value)
    protobuf = any(name == "content-type" and b"protobuf" in named.lower() for name, named in record.headers)
    if protobuf or not value.startswith(_JSON_STARTS):
        check_otlp(value, ITEMS_MAX)


def _take(
    received: Received, record: RawRecord, number: int, event: WireEvent, grant: Grant, outcome: Outcome, sender: str
) -> None:
    forbidden = grant.forbidden_field(event)
    if forbidden is None:
        received.events.append(Outgoing(event.tenant_id, event_json(event)))
        return
    fields: dict[str, Any] = {name: value for name, value in msgspec.structs.asdict(event).items() if value is not None}
    # Without the name that is at fault: replaying what is kept cannot charge anybody before a person has said whom.
    fields[forbidden] = _NOT_KEPT
    detail = f"{forbidden}: {sender or 'the token'} may not write {getattr(event, forbidden)!r}"
    refused = Refused(record, number, TENANT_NOT_ALLOWED, detail, redact(b"", fields), outcome.source_format)
    received.forbidden.append(refused)
    received.forbidden_fields.append(forbidden)


def problems_of(refused_items: Sequence[Refused]) -> list[dict[str, object]]:
    """`{"item", "reason", "detail"}` for each, as answers list them."""
    return [{"item": item.item, "reason": item.reason, "detail": item.detail} for item in refused_items]


def _kafka_headers(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, bytes]]:
    """CloudEvents in binary mode are `ce-id` over HTTP and `ce_id` on Kafka; rules look at headers by their name."""
    for name, value in headers:
        lower = name.lower()
        if lower in ("authorization", DOOR_HEADER):
            continue
        yield (f"ce_{lower[3:]}" if lower.startswith("ce-") else lower), value.encode("latin-1", "replace")
