"""Envoy's access log as it usually is; `formats/envoy.py` has what each field means.

Users choose the keys of a line, so there are more names to look for than a line has. The lines of one gateway all have the same
keys: a struct is made for the keys of a line that is not built like those before it.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import astuple, replace

from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats import envoy
from rice_stream.events.formats.otlp import attributes as names
from rice_stream.events.formats.plain.fields import (
    EVENT,
    Count,
    Name,
    NotPlainError,
    PlainItem,
    inclusive,
    instant,
    spelled,
    word,
)
from rice_stream.events.formats.reading import regions, vocabulary
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.moments import milliseconds
from rice_stream.events.formats.reading.values import count, failed_http_status, text
from rice_stream.events.formats.reading.vocabulary import EMBEDDINGS
from rice_stream.events.unnamed import UNKNOWN_TENANT

_Written = Count | str
_Undecoded = msgspec.Raw | UnsetType
_SINGLES = ("x-request-id", "start_time", "duration")
_COUNTS = (envoy.INPUT, envoy.CACHE_READ, envoy.CACHE_WRITE, envoy.OUTPUT, envoy.REASONING, envoy.TOTAL)
_HOSTS, _STATUS = ("upstream_host", *names.ENDPOINT), ("response_code",)
_OF_A_ROUTE = (names.REQUEST_MODEL, names.RESPONSE_MODEL, names.PROVIDER, envoy.PATHS, _HOSTS, _STATUS)
"""What has few values in a stream of lines."""
_KIND_OF: dict[str, Any] = {
    **dict.fromkeys((name for group in _COUNTS for name in group), _Written),
    **dict.fromkeys((*names.REQUEST_MODEL, *names.RESPONSE_MODEL, *names.PROVIDER, *_HOSTS), Name),
    **dict.fromkeys((*envoy.USER, *envoy.TENANT_LADDER, "x-request-id"), Name),
    **dict.fromkeys((*envoy.PATHS, "start_time"), str | None),
    "duration": int | float | str | None,
    "response_code": int | str | None,
}
_MARKS = frozenset(name for name in _KIND_OF if name.startswith("gen_ai.")) | {"llm_input_token", "llm_output_token"}


def _heads(wanted: Iterable[str]) -> set[str]:
    """What a dotted name begins with: where such a field is there, the name may be a path into it."""
    parts = (name.split(".") for name in wanted)
    return {".".join(part[:end]) for part in parts for end in range(1, len(part))}


_OTHERS = ("specversion", "resourceSpans", "resourceLogs", "resourceMetrics", "batch", "body", "schemaType", "event_id")
_GUARDED = frozenset(
    {*_OTHERS, "ai", "litellm_call_id", "call_type", *names.ENERGY_JOULES}
    | _heads({*_KIND_OF, *names.ENERGY_JOULES, *names.ENERGY_BOUNDARY})
)
_DAY_MS = 86_400_000
_SHAPES_MAX = 64
"""Structs that are made at most: whoever writes keys of his own into every line gets none."""
_KEYS_MAX = 128
"""Keys that the lines of one topic may have together; with more of them the list begins again."""


class _Served(NamedTuple):
    """What the lines of one route have in common: an event without what is a line's own."""

    event: WireEvent
    names_a_model: bool
    is_embedding: bool
    region_source: str


class _Shape:
    """The lines with these keys, or fewer of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        struct = msgspec.defstruct(
            "EnvoyLine",
            [
                (f"f{at}", _KIND_OF.get(key, _Undecoded), None if key in _KIND_OF else UNSET)
                for at, key in enumerate(keys)
            ],
            rename={f"f{at}": key for at, key in enumerate(keys)},
            forbid_unknown_fields=True,
            gc=False,
        )
        self.decode = msgspec.json.Decoder(struct).decode
        at = {key: position for position, key in enumerate(keys)}
        self.marked = [position for key, position in at.items() if key in _MARKS]
        self.first_mark = self.marked[0] if self.marked else 0
        self.counts = [[at[name] for name in group if name in at] for group in _COUNTS]
        self.users = [at[name] for name in envoy.USER if name in at]
        self.tenants = [at[name] for name in envoy.TENANT_LADDER if name in at]
        self.id, self.start, self.duration = (at.get(name) for name in _SINGLES)
        self._of_a_route = [[at[name] for name in group if name in at] for group in _OF_A_ROUTE]
        # Two more, since of fewer than two positions there is no tuple.
        repeating = [*(position for group in self._of_a_route for position in group), 0, 0]
        self.repeating: Callable[[tuple[Any, ...]], Any] = itemgetter(*repeating)
        self.served = lru_cache(maxsize=4096)(self._served)

    def _served(self, repeating: tuple[Any, ...]) -> _Served:
        values = iter(repeating)
        requests, responses, providers, paths, hosts, statuses = (
            [value for _, value in zip(group, values, strict=False)] for group in self._of_a_route
        )
        region, region_source = regions.first_known((regions.of_endpoint(host), "endpoint") for host in hosts)
        request, response = _first_said(requests), _first_said(responses)
        event = replace(
            EVENT,
            request_model=request,
            response_model=response,
            provider=next((found for value in providers if (found := vocabulary.known_provider(value))), None),
            inference_region=region,
            status="error" if any(map(failed_http_status, statuses)) else "ok",
        )
        is_embedding = vocabulary.operation_of_path(_first_said(paths)) == EMBEDDINGS
        return _Served(event, request is not None or response is not None, is_embedding, region_source)


class Shapes:
    """One struct for all lines that were seen: their keys together, of which a line may lack some."""

    def __init__(self) -> None:
        self._shape: _Shape | None = None
        self._keys: list[str] = []
        self._made = 0

    def decode(self, text: bytes) -> tuple[_Shape, msgspec.Struct]:
        """The line, and how it is built. NotPlainError: it is for the full decoder."""
        shape = self._shape  # once: another thread may put another one in its place
        if shape is not None:
            try:
                return shape, shape.decode(text)
            except msgspec.ValidationError:
                pass
        shape = self._shape = self._learned(text)
        return shape, shape.decode(text)

    def _learned(self, text: bytes) -> _Shape:
        obj = JsonObject.read(text)
        if obj is None or not envoy.is_access_log(obj) or not _GUARDED.isdisjoint(obj) or not all(map(_is_named, obj)):
            raise NotPlainError
        more = [key for key in obj if key not in self._keys]
        if not more or self._made >= _SHAPES_MAX:
            raise NotPlainError
        keys = self._keys + more
        self._keys = keys if len(keys) <= _KEYS_MAX else list(obj)
        self._made += 1
        return _Shape(self._keys)


def _is_named(key: str) -> bool:
    """Whether a struct can have a field of this name."""
    return key.isascii() and key.isprintable() and not {'"', "\\"} & set(key)


_shapes = Shapes()


def decode(text: bytes) -> tuple[_Shape, msgspec.Struct]:
    """The line, and how it is built. NotPlainError: it is for the full decoder."""
    return _shapes.decode(text)


def read(found: tuple[_Shape, msgspec.Struct]) -> list[PlainItem]:
    """The event of a line. NotPlainError: it is for the full decoder."""
    shape, line = found
    said = astuple(line)
    if said[shape.first_mark] is None and not any(map(said.__getitem__, shape.marked)):
        raise NotPlainError
    served: _Served = shape.served(shape.repeating(said))
    given, read_, made, written, reasoning, total = [
        None if not at else value if type(value := said[at[0]]) is int else _number(said, at) for at in shape.counts
    ]
    if not served.names_a_model:
        if given is read_ is made is written is reasoning is total is None:
            return [envoy.NO_CALL]
        raise NotPlainError
    if shape.id is None or shape.start is None:
        raise NotPlainError
    event_id, started = text(said[shape.id]), instant(said[shape.start], "start_time")
    took: Any = None if shape.duration is None else said[shape.duration]
    took_us = took * 1000 if type(took) is int and 0 <= took < _DAY_MS else milliseconds(took)
    if event_id is None or started is None:
        raise NotPlainError
    if written is None and served.is_embedding:
        written = 0
    given, read_, made, written, reasoning, quality = inclusive(given, read_, made, written, reasoning, total)
    event = replace(
        served.event,
        event_id=event_id,
        started_at=None if took_us is None else started[1],
        ended_at=started[1] if took_us is None else spelled(started[0] + took_us),
        tenant_id=_first_word(said, shape.tenants) or UNKNOWN_TENANT,
        user_id=_first_word(said, shape.users) if shape.users else None,
        input_tokens=given,
        cache_read_input_tokens=read_,
        output_tokens=written,
        reasoning_output_tokens=reasoning,
        cache_write_input_tokens=made,
        usage_quality=quality,
    )
    return [(event, served.region_source)]


def _first_said(values: Sequence[str | None]) -> str | None:
    return next((found for value in values if (found := text(value)) is not None), None)


def _first_word(said: tuple[Any, ...], positions: list[int]) -> str | None:
    for at in positions:
        value = said[at]
        if value is not None and (found := word(value)) is not None:
            return found
    return None


def _number(said: tuple[Any, ...], positions: list[int]) -> int | None:
    for at in positions:
        value = said[at]
        if value is not None:
            found = value if type(value) is int else _spelled_count(value)
            if found is not None:
                return found
    return None


@lru_cache(maxsize=1024)
def _spelled_count(value: str) -> int | None:
    return count(value, "count")
