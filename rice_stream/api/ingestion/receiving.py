"""A body as canonical events: the decoders of the worker, at the door, so that prompt text never reaches Kafka."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from rice_stream.api.ingestion.publishing import Outgoing
from rice_stream.events.canonical import WireEvent
from rice_stream.events.canonical_json import canonical_json
from rice_stream.events.formats.dispatch import outcomes
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.records import Ignored, RawRecord, Refused, TooManyItemsError
from rice_stream.events.trust import DOOR_HEADER

TOPIC = "http"
"""Where an item without an id of its own is taken to be from; its offset is a digest of the body."""

ITEMS_MAX = 10_000
"""Items of one body: a few bytes each when packed, and a tenth of a millisecond."""


class Received(NamedTuple):
    """What a body held."""

    events: list[Outgoing]
    ignored: int
    refused: list[dict[str, object]]
    """`{"item", "reason", "detail"}`; details name fields and never quote text."""


def receive(
    body: bytes, headers: Iterable[tuple[str, str]], options: FormatOptions, refused_max: int | None = None
) -> Received:
    """Understand a body. The same body gives the same events: a sender that repeats a request repeats its ids.

    After `refused_max` refused items the rest is not looked at. TooManyItemsError: more than ITEMS_MAX.
    """
    offset = int.from_bytes(hashlib.blake2b(body, digest_size=7).digest(), "big")
    record = RawRecord(TOPIC, 0, offset, body, tuple(_kafka_headers(headers)))
    received = Received([], 0, [])
    ignored = 0
    for number, outcome in enumerate(outcomes(record, replace(options, items_max=ITEMS_MAX))):
        if number == ITEMS_MAX:
            raise TooManyItemsError(ITEMS_MAX)
        result = outcome.result
        if isinstance(result, WireEvent):
            received.events.append(Outgoing(result.tenant_id, canonical_json(result)))
        elif isinstance(result, Refused):
            received.refused.append({"item": result.item, "reason": result.reason, "detail": result.detail})
            if len(received.refused) == refused_max:
                break
        elif isinstance(result, Ignored):
            ignored += 1
    return received._replace(ignored=ignored)


def _kafka_headers(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, bytes]]:
    """CloudEvents in binary mode are `ce-id` over HTTP and `ce_id` on Kafka; rules look at headers by their name."""
    for name, value in headers:
        lower = name.lower()
        if lower in ("authorization", DOOR_HEADER):
            continue
        yield (f"ce_{lower[3:]}" if lower.startswith("ce-") else lower), value.encode("latin-1", "replace")
