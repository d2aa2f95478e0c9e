"""Objects that columns hold as JSON: of what was tampered with, nothing that would end a verification."""

from json import loads
from typing import Any


def object_of(written: str) -> dict[str, Any]:
    """The object; an empty one where it is none, or no JSON."""
    try:
        found = loads(written)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
