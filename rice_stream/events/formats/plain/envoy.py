"""Envoy's access log as it usually is; `formats/envoy.py` has what each field means.

The struct is made from the lists of names that the full decoder looks through, so both know the same names.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET

from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats import envoy
from rice_stream.events.formats.otlp import attributes as names
from rice_stream.events.formats.plain.fields import (
    NOT_PLAIN,
    Count,
    Guard,
    Name,
    PlainItem,
    failed_status,
    inclusive,
    operation_of_path,
    spelled,
    time_us,
    word,
)
from rice_stream.events.formats.reading import regions, vocabulary
from rice_stream.events.formats.reading.attribution import UNKNOWN_TENANT
from rice_stream.events.formats.reading.moments import milliseconds
from rice_stream.events.formats.reading.values import count, text
from rice_stream.events.formats.reading.vocabulary import EMBEDDINGS

_Written = Count | str
_HOSTS = ("upstream_host", *names.ENDPOINT)
_GROUPS: tuple[tuple[tuple[str, ...], Any], ...] = (
    (names.REQUEST_MODEL, Name),
    (names.RESPONSE_MODEL, Name),
    (names.PROVIDER, Name),
    (envoy.INPUT, _Written),
    (envoy.CACHE_READ, _Written),
    (envoy.CACHE_WRITE, _Written),
    (envoy.OUTPUT, _Written),
    (envoy.REASONING, _Written),
    (envoy.TOTAL, _Written),
    (("start_time",), str | None),
    (("duration",), int | float | str | None),
    (("response_code",), int | str | None),
    (("x-request-id",), Name),
    (envoy.PATHS, str | None),
    (_HOSTS, Name),
    (envoy.USER, Name),
    (envoy.TENANT_LADDER, Name),
)
_WANTED = frozenset(name for group, _ in _GROUPS for name in group)
_MARKS = frozenset(name for name in _WANTED if name.startswith("gen_ai.")) | {"llm_input_token", "llm_output_token"}


def _heads(wanted: Iterable[str]) -> set[str]:
    """What a dotted name begins with: where such a field is there, the name may be a path into it."""
    parts = (name.split(".") for name in wanted)
    return {".".join(part[:end]) for part in parts for end in range(1, len(part))}


_OTHERS = ("specversion", "resourceSpans", "resourceLogs", "resourceMetrics", "batch", "body", "schemaType", "event_id")
_GUARDED = sorted(
    {*_OTHERS, "ai", "litellm_call_id", "call_type", *names.ENERGY_JOULES}
    | _heads({*_WANTED, *names.ENERGY_JOULES, *names.ENERGY_BOUNDARY})
)
_FIELDS: list[tuple[str, Any, Any]] = [
    *((name, kind, None) for group, kind in _GROUPS for name in group),
    *((name, Guard, UNSET) for name in _GUARDED),
]
Line = msgspec.defstruct(
    "Line",
    [(f"f{number}", kind, default) for number, (_, kind, default) in enumerate(_FIELDS)],
    rename={f"f{number}": name for number, (name, _, _) in enumerate(_FIELDS)},
    gc=False,
)
"""The wanted fields of a line, by number; the guards come last."""


def _slices() -> list[slice]:
    start = 0
    slices = []
    for group, _ in _GROUPS:
        slices.append(slice(start, start + len(group)))
        start += len(group)
    return slices


(
    _REQUEST_MODEL,
    _RESPONSE_MODEL,
    _PROVIDER,
    _INPUT,
    _CACHE_READ,
    _CACHE_WRITE,
    _OUTPUT,
    _REASONING,
    _TOTAL,
    _START,
    _DURATION,
    _STATUS,
    _ID,
    _PATH,
    _HOST,
    _USER,
    _TENANT,
) = _slices()
_GUARDS = slice(_TENANT.stop, None)
_UNGUARDED = (UNSET,) * len(_GUARDED)
_MARKED = [number for number, (name, _, _) in enumerate(_FIELDS) if name in _MARKS and name not in _GUARDED]


def read(line: msgspec.Struct) -> list[PlainItem]:
    """The event of a line. NotPlainError: it is for the full decoder."""
    said = msgspec.structs.astuple(line)
    if said[_GUARDS] != _UNGUARDED or not any(map(said.__getitem__, _MARKED)):
        raise NOT_PLAIN
    request, response = _first_word(said[_REQUEST_MODEL]), _first_word(said[_RESPONSE_MODEL])
    given, read_, made, written, reasoning, total = (
        _number(said[_INPUT]),
        _number(said[_CACHE_READ]),
        _number(said[_CACHE_WRITE]),
        _number(said[_OUTPUT]),
        _number(said[_REASONING]),
        _number(said[_TOTAL]),
    )
    if request is None and response is None:
        if given is read_ is made is written is reasoning is total is None:
            return [envoy.NO_CALL]
        raise NOT_PLAIN
    event_id, started_us = text(said[_ID.start]), time_us(text(said[_START.start]), "start_time")
    took_us = milliseconds(said[_DURATION.start])
    if event_id is None or started_us is None:
        raise NOT_PLAIN
    if written is None and operation_of_path(_first_word(said[_PATH])) == EMBEDDINGS:
        written = 0
    given, read_, made, written, reasoning, quality = inclusive(given, read_, made, written, reasoning, total)
    region, region_source = _place(said[_HOST])
    event = WireEvent(
        event_id=event_id,
        started_at=None if took_us is None else spelled(started_us),
        ended_at=spelled(started_us + (took_us or 0)),
        tenant_id=_first_word(said[_TENANT]) or UNKNOWN_TENANT,
        user_id=_first_word(said[_USER]),
        provider=_provider(said[_PROVIDER]),
        request_model=request,
        response_model=response,
        input_tokens=given,
        cache_read_input_tokens=read_,
        output_tokens=written,
        reasoning_output_tokens=reasoning,
        inference_region=region,
        status="error" if failed_status(said[_STATUS.start]) else "ok",
        cache_write_input_tokens=made,
        usage_quality=quality,
    )
    return [(event, region_source)]


def _first_word(values: tuple[str | None, ...]) -> str | None:
    if any(values):
        for value in values:
            if value is not None and (found := word(value)) is not None:
                return found
    return None


def _number(values: tuple[int | str | None, ...]) -> int | None:
    if not any(values):
        return 0 if 0 in values else None
    for value in values:
        if value is not None:
            found = value if type(value) is int else count(value, "count")
            if found is not None:
                return found
    return None


@lru_cache(maxsize=1024)
def _provider(values: tuple[str | None, ...]) -> str | None:
    return next((found for value in values if (found := vocabulary.known_provider(value))), None)


@lru_cache(maxsize=4096)
def _place(hosts: tuple[str | None, ...]) -> tuple[str | None, str]:
    return regions.first_known((regions.of_endpoint(host), "endpoint") for host in hosts)
