"""What a person puts over the fields of a refused item: `--set field=value`."""

from collections.abc import Sequence
from typing import Any

import msgspec

from rice_stream.errors import UsageError
from rice_stream.events.canonical import FIELD_NAMES, WireEvent

_TEXT_FIELDS = frozenset(
    field.name
    for field in msgspec.inspect.type_info(WireEvent).fields  # type: ignore[attr-defined]
    if isinstance(field.type, msgspec.inspect.StrType)
    or (
        isinstance(field.type, msgspec.inspect.UnionType)
        and any(isinstance(kind, msgspec.inspect.StrType | msgspec.inspect.LiteralType) for kind in field.type.types)
    )
)


def parse_patches(assignments: Sequence[str]) -> dict[str, Any]:
    """`["input_tokens=12", "team_id=search", "user_id=null"]` -> fields. UsageError names what is wrong."""
    patches: dict[str, Any] = {}
    for assignment in assignments:
        name, sign, value = assignment.partition("=")
        if not sign:
            raise UsageError(f"--set {assignment}: write field=value, such as input_tokens=120")
        if name not in FIELD_NAMES:
            raise UsageError(f"--set {name}: there is no such field; fields are {', '.join(FIELD_NAMES)}")
        patches[name] = _patch_value(name, value)
    return patches


def _patch_value(name: str, value: str) -> Any:
    if value == "null":
        return None
    if name in _TEXT_FIELDS:
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise UsageError(f"--set {name}={value}: must be a number, true, false or null") from error
