"""What a change was: the fields of before and after that are not the same. Pure."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

_LENGTH_MAX = 200


class Difference(NamedTuple):
    """A field, and its value before and after as text; None where it was not there."""

    field: str
    before: str | None
    after: str | None


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Difference]:
    """In the order of the fields; of what is new or gone, only the fields that say something."""
    old, new = _flat(before), _flat(after)
    names = [*old, *(name for name in new if name not in old)]
    found = [Difference(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]
    if before is not None and after is not None:
        return found
    return [each for each in found if (each.before or each.after) not in ("none", "", None)]


def _flat(value: Mapping[str, Any] | None, above: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, each in (value or {}).items():
        if isinstance(each, Mapping):
            flat |= _flat(each, f"{above}{name}.")
        else:
            flat[f"{above}{name}"] = _text(each)
    return flat


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        text = ", ".join(map(str, value))
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LENGTH_MAX else f"{text[:_LENGTH_MAX]}…"
