"""How long the text of a prompt or an answer is. The text itself is measured and forgotten."""

from typing import Any

import msgspec

from rice_stream.events.framing import JSON_ERRORS

_ANY = msgspec.json.Decoder()
_NOT_TEXT = frozenset(
    {"role", "type", "id", "name", "object", "model", "index", "created", "finish_reason", "stop_reason", "logprobs"}
    | {"mime_type", "mimeType", "url", "image", "image_url", "input_audio", "data", "file_id", "tool_call_id"}
    | {"usage", "usageMetadata", "annotations", "system_fingerprint"}
)
"""Keys beside the text of a message that are no text the model read or wrote (pictures and sound are data)."""
_PLACEHOLDERS = frozenset({"redacted-by-litellm", "[REDACTED]", "REDACTED", "<redacted>"})


def characters(value: Any) -> int | None:
    """Characters of all text in a message, a list of messages or an answer; None where there is none.

    >>> characters([{"role": "user", "content": "hello"}])
    5
    """
    total: int | None = None
    waiting = [value]
    # A stack of our own: JSON nests deeper than Python recurses.
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            if part not in _PLACEHOLDERS and part:
                total = (total or 0) + len(part)
        elif isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            waiting += [inner for key, inner in part.items() if key not in _NOT_TEXT]
    return total


def characters_of_json(text: object) -> int | None:
    """The same for messages written as JSON text (OpenTelemetry attributes); other text counts as it is."""
    if not isinstance(text, str):
        return characters(text)
    if text[:1] in ("[", "{"):
        try:
            return characters(_ANY.decode(text))
        except JSON_ERRORS:
            return characters(text)
    return characters(text)
