"""What an event said, as text and as a digest: how a conflict is stored, and how it is recognised when the event comes again."""

import hashlib
import json
from collections.abc import Mapping

from rice_stream.quantities import UNKNOWN
from rice_stream.store.record_columns import CONTENT_COLUMNS


def content_text(content: Mapping[str, int | None]) -> str:
    """The values of CONTENT_COLUMNS as JSON, null for UNKNOWN and None: kept with a conflict so that a person can compare."""
    return json.dumps({name: _or_null(content[name]) for name in CONTENT_COLUMNS})


def content_digest(text: str) -> bytes:
    """16 bytes that are equal for equal content, so that a conflict that is delivered again is not kept twice."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _or_null(value: int | None) -> int | None:
    return None if value is None or value == UNKNOWN else int(value)
