"""JSON in its one canonical form (RFC 8785): the same value is the same bytes, wherever and whenever they are made.

Names of members are sorted by their UTF-16 code units, nothing is spaced, and numbers are written as ECMAScript writes
doubles. What has no canonical form is refused and never rounded: integers that a double does not hold exactly, not-a-number and
the infinities, halves of surrogate pairs, names that are no text.
"""

import json
import math
from collections.abc import Mapping, Sequence

INTEGER_MAX = 2**53 - 1
"""The largest integer that every reader of JSON takes exactly; larger amounts are written as text."""
_EXPONENT_FROM, _EXPONENT_TO = -7, 21
"""ECMAScript writes numbers without an exponent between 10 to the power of these."""


def canonical_json(value: object) -> bytes:
    """The value's canonical form, UTF-8. ValueError: it has none."""
    return _text(value).encode()  # UnicodeEncodeError, of half a surrogate pair, is a ValueError


def _text(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > INTEGER_MAX:
            raise ValueError(f"{value} is larger than a double holds exactly; write it as text")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise ValueError("a name of a member is no text")
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_text(name)}:{_text(value[name])}" for name in names) + "}"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return "[" + ",".join(map(_text, value)) + "]"
    raise ValueError(f"{type(value).__name__} is no JSON")


def _number(value: float) -> str:
    """The shortest digits that read as the same double, as `Number.prototype.toString` of ECMAScript sets them."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number in JSON")
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times 10 to the power of `point`.
    point = int(exponent or 0) + len(whole) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    if len(digits) <= point <= _EXPONENT_TO:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= _EXPONENT_TO:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if _EXPONENT_FROM < point - 1 < 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'+' if point > 0 else '-'}{abs(point - 1)}"
