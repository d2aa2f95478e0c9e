"""Fields that every line of the log carries while something is under way: the request, the trace.

Of an asyncio task they are its own, and those of the tasks that it starts; `asyncio.to_thread` takes them along, an executor's
thread does not by itself.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

NO_FIELDS: Mapping[str, str] = MappingProxyType({})
_FIELDS: ContextVar[Mapping[str, str]] = ContextVar("log_fields", default=NO_FIELDS)


def log_fields() -> Mapping[str, str]:
    """Those of now."""
    return _FIELDS.get()


def set_log_fields(fields: Mapping[str, str]) -> None:
    """From here on, in this task."""
    _FIELDS.set(fields)
