"""What may be kept of a payload that was refused: an allow-list, so that a new field can never leak text."""

import hashlib
from typing import Any

import msgspec

from rice_stream.events.canonical import FIELD_NAMES

PAYLOAD_LENGTH_MAX = 8_192
"""Longest redacted payload that is stored, in characters."""
_ENVELOPE = frozenset({"specversion", "id", "type", "time", "subject", "datacontenttype", "tenantid", "partitionkey"})
UNTIMED = "time_from_record"
"""Stands with `true` in the payload of an item whose `ended_at` is only the time of its Kafka record."""
_ALLOWED = frozenset({*FIELD_NAMES, *_ENVELOPE, UNTIMED})
_TEXT_LENGTH_MAX = 256
_FIELD_NAME_LENGTH_MAX = 64
_FIELDS_MAX = 100


def redact(value: bytes | None, parsed: Any = None) -> str:
    """The payload with known fields only. What cannot be parsed is described by size and digest, never quoted.

    >>> redact(b'{"event_id": "a", "messages": ["secret"]}', {"event_id": "a", "messages": ["secret"]})
    '{"event_id":"a","messages":"<removed>"}'
    """
    if value is None:
        return "<no value>"
    if isinstance(parsed, dict):
        kept = _known_fields(parsed)
        # One level, where CloudEvents have it: following `data` in `data` could exhaust the stack.
        if isinstance(parsed.get("data"), dict):
            kept["data"] = _known_fields(parsed["data"])
        text = msgspec.json.encode(kept).decode()
        if len(text) <= PAYLOAD_LENGTH_MAX:
            return text
    digest = hashlib.blake2b(value, digest_size=16).hexdigest()
    return f"<{len(value)} bytes, blake2b {digest}>"


def _known_fields(parsed: dict[Any, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in parsed.items():
        name = str(key)
        if name in _ALLOWED:
            kept[name] = _scalar(value)
        elif _looks_like_a_field(name) and len(kept) < _FIELDS_MAX:
            kept[name] = "<removed>"
    return kept


def _looks_like_a_field(name: str) -> bool:
    # A sentence as a key (in a script without blanks, it even is an identifier) may be somebody's text.
    return len(name) <= _FIELD_NAME_LENGTH_MAX and name.isascii() and name.isidentifier()


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and len(value) <= _TEXT_LENGTH_MAX:
        return value.replace("\x00", "")
    return "<removed>"
