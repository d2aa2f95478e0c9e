"""JSON objects of which only the fields that are asked for are ever decoded: prompt text stays undecoded bytes."""

from collections.abc import Iterator
from typing import Any

import msgspec

from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.records import RefusedError

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder()
_STRUCTURES = b"{["


class JsonObject:
    """One JSON object; values are decoded when asked for. Missing, null and of another kind look the same: nothing."""

    __slots__ = ("_raw",)

    def __init__(self, raw: dict[str, msgspec.Raw]) -> None:
        self._raw = raw

    @classmethod
    def read(cls, text: bytes) -> "JsonObject | None":
        """The object that the text is; None when it is anything else."""
        try:
            return cls(_OBJECT.decode(text))
        except JSON_ERRORS:
            return None

    def __contains__(self, name: str) -> bool:
        return name in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def raw(self) -> dict[str, msgspec.Raw]:
        """The undecoded fields: for views of the same object under other names."""
        return self._raw

    def updated(self, later: "JsonObject") -> "JsonObject":
        """These fields, overruled by what the later object says; its nulls say nothing."""
        said = {name: raw for name, raw in later._raw.items() if bytes(raw) != b"null"}
        return JsonObject(self._raw | said)

    def scalar(self, name: str) -> Any:
        """Text, number, boolean or None; None too for an object or array, which is not decoded."""
        raw = self._raw.get(name)
        if raw is None or memoryview(raw)[0] in _STRUCTURES:
            return None
        try:
            return _ANY.decode(raw)
        except JSON_ERRORS as error:
            raise _broken(name) from error

    def value(self, name: str) -> Any:
        """The value whatever it is, decoded as a whole: for small structures only (usage objects, tags)."""
        raw = self._raw.get(name)
        return None if raw is None else _decoded(raw, name)

    def child(self, name: str) -> "JsonObject":
        """The object in that field, also when it is written as JSON text; an empty one for anything else."""
        raw = self._raw.get(name)
        if raw is None:
            return _EMPTY
        first = memoryview(raw)[0]
        if first == _STRUCTURES[0]:
            return JsonObject.read(bytes(raw)) or _EMPTY
        if first == ord('"'):
            inner = _decoded(raw, name)
            return JsonObject.read(inner.encode()) or _EMPTY
        return _EMPTY

    def children(self, name: str) -> list["JsonObject | None"]:
        """The objects of the array in that field, None standing for an element that is no object; [] if no array."""
        return [JsonObject.read(bytes(raw)) for raw in self.raw_elements(name)]

    def raw_elements(self, name: str) -> list[msgspec.Raw]:
        """The undecoded elements of the array in that field; [] if it is none."""
        raw = self._raw.get(name)
        if raw is None or memoryview(raw)[0] != _STRUCTURES[1]:
            return []
        try:
            return _LIST.decode(raw)
        except JSON_ERRORS:
            return []

    def is_object(self, name: str) -> bool:
        """Whether the field holds an object."""
        raw = self._raw.get(name)
        return raw is not None and memoryview(raw)[0] == _STRUCTURES[0]

    def is_array(self, name: str) -> bool:
        """Whether the field holds an array."""
        raw = self._raw.get(name)
        return raw is not None and memoryview(raw)[0] == _STRUCTURES[1]

    def find(self, path: str) -> Any:
        """A scalar, or a list of texts, by its name or by a path with dots; a name that has dots itself goes first."""
        raw = self._raw.get(path)
        if raw is not None:
            return self.tags(path) if memoryview(raw)[0] == _STRUCTURES[1] else self.scalar(path)
        head, dot, tail = path.partition(".")
        while dot:
            if head in self._raw:
                return self.child(head).find(tail)
            part, dot, tail = tail.partition(".")
            head = f"{head}.{part}"
        return None

    def tags(self, name: str) -> list[str]:
        """The texts of a list, also when the list is written as JSON text; [] for anything else."""
        value = self.value(name)
        if isinstance(value, str) and value[:1] == "[":
            try:
                value = _ANY.decode(value)
            except JSON_ERRORS:
                return []
        return [tag for tag in value if isinstance(tag, str)] if isinstance(value, list) else []


_EMPTY = JsonObject({})


def _decoded(raw: msgspec.Raw, name: str) -> Any:
    try:
        return _ANY.decode(raw)
    except JSON_ERRORS as error:
        raise _broken(name) from error


def _broken(name: str) -> RefusedError:
    # The name is one that a format module asked for, never the sender's text.
    return RefusedError("not_json", f"{name}: not JSON")
