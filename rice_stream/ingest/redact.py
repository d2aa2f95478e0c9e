"""What may be kept of a payload that was refused: an allow-list, so that a new field can never leak text."""

import hashlib
from typing import Any

import msgspec

from rice_stream.events import FIELD_NAMES

PAYLOAD_LENGTH_MAX = 8_192
"""Longest redacted payload that is stored, in characters."""
_ENVELOPE = frozenset({"specversion", "id", "type", "time", "subject", "datacontenttype", "tenantid", "partitionkey"})
_ALLOWED = frozenset(FIELD_NAMES) | _ENVELOPE
_TEXT_LENGTH_MAX = 256


def redact(value: bytes | None, parsed: Any = None) -> str:
    """The payload with known fields only. What cannot be parsed is described by size and digest, never quoted.

    >>> redact(b'{"event_id": "a", "messages": ["secret"]}', {"event_id": "a", "messages": ["secret"]})
    '{"event_id":"a","messages":"<removed>"}'
    """
    if value is None:
        return "<no value>"
    if isinstance(parsed, dict):
        text = msgspec.json.encode(_known_fields(parsed)).decode()
        if len(text) <= PAYLOAD_LENGTH_MAX:
            return text
    digest = hashlib.blake2b(value, digest_size=16).hexdigest()
    return f"<{len(value)} bytes, blake2b {digest}>"


def _known_fields(parsed: dict[Any, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in parsed.items():
        name = str(key)
        if name == "data" and isinstance(value, dict):
            kept[name] = _known_fields(value)
        elif name in _ALLOWED:
            kept[name] = _scalar(value)
        elif len(name) <= _TEXT_LENGTH_MAX and name.isidentifier() and len(kept) < 100:
            kept[name] = "<removed>"
    return kept


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and len(value) <= _TEXT_LENGTH_MAX:
        return value.replace("\x00", "")
    return "<removed>"
