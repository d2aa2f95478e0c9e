"""Loosely typed values as gateways write them -> text, counts, flags, or a named problem. Never quotes a value."""

from collections.abc import Callable

from rice_stream.events.records import RefusedError

Find = Callable[[str], object]
"""Looks up an attribute of an item by name; None where it has none."""

_EMPTY = frozenset({"", "-"})
"""How access logs spell null."""
_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no", "none", "null"})
_DIGITS_MAX = 20
_WIDEST = 2**64


def text(value: object) -> str | None:
    """Non-empty text, trimmed; whole numbers as text; None for everything else."""
    if value is None:
        return None
    if isinstance(value, str):
        stripped = value.strip()
        return None if stripped in _EMPTY else stripped
    # Wider integers are no ids, and very long ones Python refuses to spell.
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _WIDEST:
        return str(value)
    return None


def count(value: object, field: str) -> int | None:
    """A token count: null, "" and "-" are None (null is not zero); "15" and 15.0 are 15.

    RefusedError `invalid_field`: a boolean, a negative or broken number, or anything else.
    """
    if value is None:
        return None
    number = value if type(value) is int else coerced(value)
    if number is None and isinstance(value, str) and value.strip() in _EMPTY:
        return None
    if number is None or number < 0:
        raise RefusedError("invalid_field", f"{field}: must be a whole number of at least 0")
    return number


def coerced(value: object) -> int | None:
    """The whole number that the value spells, None where it spells none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        return _from_text(value.strip())
    return None


def _from_text(stripped: str) -> int | None:
    if not stripped or len(stripped) > _DIGITS_MAX or not stripped.isascii():
        return None
    digits, _, fraction = stripped.partition(".")
    # Lua and Java print whole floats with a fraction of zeros.
    if digits.removeprefix("-").isdigit() and not fraction.strip("0"):
        return int(digits)
    return None


def flag(value: object) -> bool | None:
    """True or False, also as their usual spellings; None for anything else."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        lowered = value.strip().lower()
        return True if lowered in _TRUE else False if lowered in _FALSE else None
    return None


def first_text(find: Find, names: tuple[str, ...]) -> str | None:
    """The first of the named attributes that holds text."""
    for name in names:
        found = text(find(name))
        if found is not None:
            return found
    return None


def failed_http_status(value: object) -> bool:
    """An HTTP status of 400 and above, or 0 (the client or the upstream went away)."""
    status = coerced(value)
    return status is not None and (status >= 400 or status == 0)
