"""LiteLLM's payloads of a block of records, one each, as columns: the names that many calls share are looked up once.

Each payload is decoded by itself; what it says is not made an event, but numbers of names, times and counts.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rice_stream.events.canonical import WireEvent
from rice_stream.events.columns import PROVENANCE_FIELDS, SERVICE_FIELDS
from rice_stream.events.formats.litellm.payload import SOURCE_FORMAT
from rice_stream.events.formats.plain.fields import NotPlainError
from rice_stream.events.formats.plain.litellm import CallServed, call_of, event_of, parts_of, served_by, user_of
from rice_stream.events.formats.plain.litellm_payload import LoggedCall, decode
from rice_stream.events.formats.plain.litellm_rows import usual_row
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.records import RefusedError
from rice_stream.events.stated_factors import NOTHING_STATED
from rice_stream.events.together.known import ODD, AllNames
from rice_stream.events.together.layouts import OUTCOME, WHO
from rice_stream.events.together.names import Combination, NumberedNames
from rice_stream.events.together.reader import EVENTS_MIN, ReadTogether
from rice_stream.quantities import UNKNOWN, Ints

NAMES_MAX = 20_000
"""Users, and kinds of calls, that are kept in mind; past that all are learnt anew."""
_SERVED_WIDTH = len(SERVICE_FIELDS) + len(NOTHING_STATED) + len(PROVENANCE_FIELDS)
_CLASSES = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)
_ODD_ROW = (ODD, ODD, b"", UNKNOWN, 0, *(UNKNOWN,) * len(_CLASSES))
_AT_ONCE = 16
"""Payloads of which each step is taken together: one after the other it finds its code and theirs in the processor's cache."""
_ODD_AT_FIRST, _ODD_MAX = 8, 4
"""Where more than so many records are odd, and one in so many of those that were read, the block is left to be read otherwise."""
_PROBLEMS = (*JSON_ERRORS, NotPlainError, RefusedError)


class _Kind:
    """Kinds of calls that differ in how good their counts are alone."""

    __slots__ = ("_numbers", "_served", "_what", "failed", "is_embedding")

    def __init__(self, served: CallServed, what: NumberedNames) -> None:
        self.failed, self.is_embedding = served.failed, served.is_embedding
        self._served = served
        self._what = what
        self._numbers: dict[str, int] = {}

    def number(self, quality: str) -> int:
        """The number of its names. NotPlainError: one holds a NUL, which the full decoder refuses."""
        found = self._numbers.get(quality)
        if found is None:
            found = self._numbers[quality] = self._what.number(_stored(_combination(self._served, quality)))
        return found


class _Kinds(dict[tuple[Any, ...], _Kind | None]):
    """By names as `served_by` takes them."""

    def __init__(self, what: NumberedNames) -> None:
        super().__init__()
        self._what = what

    def __missing__(self, names: tuple[Any, ...]) -> _Kind | None:
        served = served_by(*names)
        kind = self[names] = None if served is None else _Kind(served, self._what)
        return kind


class _Reported(dict[tuple[Any, ...], int]):
    """Numbers of kinds whose counts are as the provider reported them, by names as `served_by` takes them; ODD: none such."""

    def __init__(self, kinds: _Kinds) -> None:
        super().__init__()
        self._kinds = kinds

    def __missing__(self, names: tuple[Any, ...]) -> int:
        kind = self._kinds[names]
        number = self[names] = ODD if kind is None else kind.number("reported")
        return number


class _Users(dict[tuple[Any, ...], int]):
    """Numbers of users, by names as `user_of` takes them."""

    def __init__(self, who: NumberedNames) -> None:
        super().__init__()
        self._who = who

    def __missing__(self, names: tuple[Any, ...]) -> int:
        number = self[names] = self._who.number(_stored(user_of(*names)))
        return number


class CallsReader:
    """Remembers names from block to block. For one block at a time."""

    def __init__(self) -> None:
        self._learn_anew()

    def _learn_anew(self) -> None:
        self._names = AllNames(NumberedNames(len(WHO)), NumberedNames(_SERVED_WIDTH + len(OUTCOME)))
        self._users, self._kinds = _Users(self._names.who), _Kinds(self._names.what)
        self._reported = _Reported(self._kinds)

    def read(self, values: Sequence[bytes]) -> ReadTogether | None:
        """The calls of these values, an empty one being odd; None: they are to be read otherwise."""
        if max(len(self._users), len(self._kinds)) > NAMES_MAX:
            self._learn_anew()
        odd: list[int] = []
        rows: list[tuple[Any, ...]] = []
        for first in range(0, len(values), _AT_ONCE):
            several = values[first : first + _AT_ONCE]
            try:
                rows += self._rows(several)
            except _PROBLEMS:
                for row, value in enumerate(several, first):
                    try:
                        rows += self._rows((value,))
                    except _PROBLEMS:
                        odd.append(row)
                        rows.append(_ODD_ROW)
                        if not row or len(odd) > _ODD_AT_FIRST + row // _ODD_MAX:
                            return None
        who, what, ids, *numbers = zip(*rows, strict=True)
        started_us, ended_us = (_rounded(column) for column in numbers[:2])
        counts = (np.fromiter(column, dtype=np.int64, count=len(rows)) for column in numbers[2:])
        return ReadTogether(
            odd=np.array(odd, dtype=np.intp),
            names=self._names,
            who=np.array(who, dtype=np.int64),
            what=np.array(what, dtype=np.int64),
            ids=list(ids),
            ended_at_us=ended_us,
            duration_us=np.where(started_us == UNKNOWN, UNKNOWN, ended_us - started_us),
            counts=dict(zip(_CLASSES, counts, strict=True)),
            event=event_in,
        )

    def _rows(self, values: Sequence[bytes]) -> list[tuple[Any, ...]]:
        """Of each value what `_row` says. One of `_PROBLEMS`: one of them is for the full decoder."""
        for value in values:
            if not value.isascii():
                value.decode()  # typed structs do not look at the names that they skip; the full decoders do
        users, reported = self._users, self._reported
        return [usual_row(call, users, reported) or self._row(call) for call in list(map(decode, values))]

    def _row(self, payload: LoggedCall) -> tuple[Any, ...]:
        """Numbers of its names, id, start, end and counts. NotPlainError: it is for the full decoder, as are names with a NUL."""
        event_id, started_us, ended_us, who, kind, usage = parts_of(payload, self._users, self._kinds)
        given, read, made, written, reasoning, quality = usage
        if "\x00" in event_id:
            raise NotPlainError
        return (
            who,
            kind.number(quality),
            event_id.encode(),
            UNKNOWN if started_us is None else started_us,
            ended_us,
            UNKNOWN if given is None else given,
            UNKNOWN if read is None else read,
            UNKNOWN if made is None else made,
            UNKNOWN if written is None else written,
            UNKNOWN if reasoning is None else reasoning,
        )


def _rounded(times_us: Sequence[float]) -> Ints:
    return np.rint(np.fromiter(times_us, dtype=np.float64, count=len(times_us))).astype(np.int64)


def event_in(value: bytes) -> WireEvent:
    """The event of a payload that was read before."""
    return event_of(call_of(decode(value)))


def _combination(served: CallServed, quality: str) -> Combination:
    """What stands for it among the names: as the columns `served` have it, with its outcome behind."""
    names = (served.provider, served.request_model, served.response_model, served.inference_region)
    status = "error" if served.failed else "ok"
    provenance = (SOURCE_FORMAT, served.region_source or None)
    return (*names, *NOTHING_STATED, *provenance, served.gateway_cache_hit, status, quality)


def _stored(names: Combination) -> Combination:
    if any("\x00" in name for name in names if isinstance(name, str)):
        raise NotPlainError
    return tuple(names)


_idle: list[CallsReader] = []
"""The readers that nobody uses just now: one for each thread that reads at the same time as others."""


def read_calls(values: Sequence[bytes]) -> ReadTogether | None:
    """`CallsReader.read` with names that were met before; None also for too few."""
    if len(values) < EVENTS_MIN:
        return None
    try:
        reader = _idle.pop()
    except IndexError:
        reader = CallsReader()
    try:
        return reader.read(values)
    finally:
        _idle.append(reader)
