"""What the sections of the settings share: the model that each builds on, and how values are written in one line."""

import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, InstanceOf

from rice_stream.errors import UsageError

Value = TypeVar("Value")


class Section(BaseModel):
    """Settings about one subject. Built from values that `loading` has merged; immutable; never shows a secret."""

    # Sections are only parts of `Settings`: no validator is built for them.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part for part in (piece.strip() for piece in value.split(",")) if part)
    return value


CommaList = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Texts, in one line `a,b`."""


def pairs(value: str, what: str) -> list[tuple[str, str]]:
    """`a=b,c=d` as pairs, split at the first `=` each. ValueError says what should be written."""
    found = [piece.partition("=") for piece in value.split(",") if piece.strip()]
    if not all(key.strip() and sign and item.strip() for key, sign, item in found):
        raise ValueError(f"must be a comma list of {what}")
    return [(key.strip(), item.strip()) for key, _, item in found]


def mapping(what: str) -> BeforeValidator:
    """Reads `a=b,c=d` into a dictionary; `what` says, with an example, what should be written."""
    return BeforeValidator(lambda value: dict(pairs(value, what)) if isinstance(value, str) else value)


class Rows:
    """A JSON array of objects: as it was `written`, and as the value that it was `parsed` to."""

    def __init__(self, written: tuple[dict[str, Any], ...], parsed: Any) -> None:
        self.written = written
        self.parsed = parsed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and self.written == other.written

    def __hash__(self) -> int:
        return hash(json.dumps(self.written, sort_keys=True))

    def __repr__(self) -> str:
        return f"Rows({self.written!r})"


def rows(parse: Callable[[tuple[dict[str, Any], ...]], Any]) -> BeforeValidator:
    """Reads a JSON array of objects (in a settings file: tables) with `parse`, which raises ValueError or UsageError."""

    def read(value: object) -> Rows:
        if isinstance(value, Rows):
            return value
        return Rows(written := _objects(value), checked(lambda: parse(written)))

    return BeforeValidator(read)


JsonRows = InstanceOf[Rows]


def _objects(value: object) -> tuple[dict[str, Any], ...]:
    wrong = ValueError('must be a JSON array of objects, such as [{"name": "value"}]')
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise wrong from error
    if not isinstance(value, list | tuple) or not all(isinstance(item, dict) for item in value):
        raise wrong
    return tuple(value)


def checked(make: Callable[[], Value]) -> Value:
    """What `make` makes; its UsageError as the ValueError that a validator has to raise."""
    try:
        return make()
    except UsageError as error:
        raise ValueError(str(error)) from error
