"""What a door of ours has refused, as a record on Kafka: HTTP and the LiteLLM callback have no database of their own.

Such a record holds no event and is refused again by whoever reads it, with the reason that the door gave, so that the
item is in quarantine like any other. It is an array of CloudEvents, so a reader that does not know the type refuses it
as well. Payloads are redacted by the door and, since anybody may write to a topic, once more here.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rice_stream.events.formats.reading.options import FORMATS
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.records import DOOR_REFUSALS_START, FURTHER_ITEMS, RawRecord, Refused
from rice_stream.events.redact import PAYLOAD_LENGTH_MAX, redact
from rice_stream.events.refused_items import bounded, count_items, further_items

TENANT_NOT_ALLOWED = "tenant_not_allowed"
"""Reason code of an item whose tenant or team the sender's token may not write."""
REASONS = frozenset(
    {
        "empty_value",
        "not_json",
        "not_an_object",
        "invalid_cloudevent",
        "missing_field",
        "missing_model",
        "missing_time",
        "invalid_field",
        "unsupported_schema_version",
        "inconsistent_times",
        "inconsistent_tokens",
        "unknown_token_type",
        "invalid_otlp",
        "unexpected_format",
        TENANT_NOT_ALLOWED,
        FURTHER_ITEMS,
    }
)
"""Reasons that a door may give: a name of somebody's own would become a label of a metric."""
RECORD_BYTES_MAX = 262_144
"""Size of one record; items that do not fit are counted as further ones."""
_DETAIL_LENGTH_MAX = 512
_UNPARSED = re.compile(r"<(?:no value|\d{1,12} bytes, blake2b [0-9a-f]{32})>")
_RECORD = msgspec.json.Decoder(list[dict[str, Any]])
_PAYLOAD = msgspec.json.Decoder(dict[str, Any])


def refusals_record(refused_items: Sequence[Refused], door: str) -> bytes:
    """The value of a record that tells of the refused items of one body, at least one.

    `door` says where they came in, and from whom.
    """
    parts: list[bytes] = []
    size = 0
    kept = bounded(refused_items)
    # Of the body, which is the same for all and may be large: hashed once.
    digest = kept[0].digest.hex()
    for number, refused in enumerate(kept):
        part = _written(refused, door, digest)
        if size + len(part) > RECORD_BYTES_MAX:
            rest = further_items(refused.record, refused.item, count_items(kept[number:]), refused.source_format)
            parts.append(_written(rest, door, digest))
            break
        parts.append(part)
        size += len(part)
    return b"[" + b",".join(parts) + b"]"


def read_refusals(record: RawRecord) -> list[Refused] | None:
    """The refused items that a record tells of; None where it does not, or is not written as ours are."""
    if record.value is None or not record.value.startswith(DOOR_REFUSALS_START):
        return None
    try:
        rows = _RECORD.decode(record.value)
    except JSON_ERRORS:
        return None
    read = [_read(record, number, row.get("data")) for number, row in enumerate(rows)]
    found = [refused for refused in read if refused is not None]
    return found if len(found) == len(rows) else None


def _written(refused: Refused, door: str, digest: str) -> bytes:
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "type": "dev.rice.refused.v1",
            "id": f"{digest}:{refused.item}",
            "source": door,
            "data": {
                "item": refused.item,
                "reason": refused.reason,
                "detail": f"{door}, item {refused.item}: {refused.detail}"[:_DETAIL_LENGTH_MAX],
                "payload": refused.payload,
                "source_format": refused.source_format,
                "items": refused.items,
            },
        }
    )


def _read(record: RawRecord, number: int, data: Any) -> Refused | None:
    """Items are numbered within the record; their number within the body is in the detail."""
    if not isinstance(data, Mapping):
        return None
    reason, detail, payload, source_format, items = (
        data.get(name) for name in ("reason", "detail", "payload", "source_format", "items")
    )
    if reason not in REASONS or not isinstance(detail, str) or len(detail) > _DETAIL_LENGTH_MAX:
        return None
    if (
        source_format not in FORMATS
        or not isinstance(items, int)
        or not 0 < items < 2**31
        or not isinstance(payload, str)
    ):
        return None
    if reason == FURTHER_ITEMS:
        return further_items(record, number, items, source_format)
    redacted = _redacted(payload)
    detail = detail.replace("\x00", "")
    return None if redacted is None else Refused(record, number, reason, detail, redacted, source_format)


def _redacted(payload: str) -> str | None:
    if _UNPARSED.fullmatch(payload):
        return payload
    if len(payload) > PAYLOAD_LENGTH_MAX:
        return None
    try:
        return redact(payload.encode(), _PAYLOAD.decode(payload))
    except JSON_ERRORS:
        return None
