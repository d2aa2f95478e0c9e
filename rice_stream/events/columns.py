"""Events turned into columns: what the estimator, the totals and the database writers work on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain, islice
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.events.canonical import FIELD_NAMES, WireEvent
from rice_stream.events.keys import day_start_us, key_times_us
from rice_stream.events.metered_energy import ENERGY_FIELDS
from rice_stream.events.stated_factors import FACTOR_FIELDS
from rice_stream.events.times import parse_times
from rice_stream.events.together.names import selected
from rice_stream.instants import DAY_US
from rice_stream.quantities import UNKNOWN

_AT = {name: position for position, name in enumerate(FIELD_NAMES)}
ATTRIBUTION_FIELDS = ("tenant_id", "team_id", "project_id", "source")
CHARGED_FIELDS = ("team_id", "project_id", "cost_centre")
"""Whom an event is charged to within its tenant, where a mapping says other than the event."""
SERVICE_FIELDS = ("provider", "request_model", "response_model", "inference_region")
PROVENANCE_FIELDS = ("source_format", "region_source")
"""How an event of another format was read, and what in it named the region; no event says these itself."""
Provenance = tuple[str | None, str | None]
"""The values of PROVENANCE_FIELDS."""

Attribution = tuple[str, str | None, str | None, str | None]
"""The values of ATTRIBUTION_FIELDS as they came."""
Service = tuple[Any, ...]
"""The values of SERVICE_FIELDS, followed by those of FACTOR_FIELDS where any event of the batch brings one, and by those
of PROVENANCE_FIELDS where any was of another format."""

_QUALITY_FLAGS = {"derived": Basis.USAGE_DERIVED, "estimated": Basis.USAGE_ESTIMATED}


@dataclass(frozen=True, slots=True)
class EventColumns:
    """n events. Integer arrays have shape (n,); `UNKNOWN` (-1) stands for null. Times are epoch microseconds.

    `valid` is False where the events are to be judged one by one by the pydantic model (odd time spelling, broken
    invariant); such rows hold no meaningful numbers.
    """

    attributed: tuple[Sequence[str | None], ...]
    """One sequence for each of ATTRIBUTION_FIELDS: a tuple an event is only made where one is needed."""
    served: tuple[Sequence[Any], ...]
    """One for each of SERVICE_FIELDS, followed by FACTOR_FIELDS where any event of the batch brings one."""
    user_id: Sequence[str | None]
    api_key_id: Sequence[str | None]
    event_id: Sequence[str]
    ended_at_us: NDArray[np.int64]
    duration_us: NDArray[np.int64]
    input_tokens: NDArray[np.int64]
    cache_read_input_tokens: NDArray[np.int64]
    cache_write_input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    reasoning_output_tokens: NDArray[np.int64]
    inference: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    flags: NDArray[np.int32]
    valid: NDArray[np.bool_]
    untimed: NDArray[np.bool_]
    """Whether the event has no time of its own: `ended_at_us` is then that of the record it came in."""
    energy: tuple[Sequence[Any], ...] = ()
    """One for each of ENERGY_FIELDS where any event of the batch brings metered energy, else none at all. Once it is decided
    what is taken of it: one sequence of `Metered`, None for an event without."""
    charged: tuple[Sequence[str], ...] = ()
    """One for each of CHARGED_FIELDS ("": none) where a mapping says whom any event is charged to, else none at all."""

    def __len__(self) -> int:
        return len(self.event_id)

    @property
    def attribution(self) -> list[Attribution]:
        """Who each event is attributed to."""
        return list(zip(*self.attributed, strict=True))

    @property
    def service(self) -> list[Service]:
        """What served each event."""
        return list(zip(*self.served, strict=True))

    @property
    def key_times_us(self) -> NDArray[np.int64]:
        """The times that the events' keys begin with: where one has none of its own, the beginning of its day (UTC)."""
        return key_times_us(self.ended_at_us, self.untimed)

    def select(self, rows: NDArray[np.intp]) -> "EventColumns":
        """The given rows, in the given order."""
        values: dict[str, Any] = {}
        for field in fields(self):
            column = getattr(self, field.name)
            if isinstance(column, np.ndarray):
                values[field.name] = column[rows]
        names = iter(
            selected([*chain(*(getattr(self, name) for name in _NESTED)), self.user_id, self.api_key_id], rows)
        )
        values |= {name: tuple(islice(names, len(getattr(self, name)))) for name in _NESTED}
        user_id, api_key_id = names
        (event_id,) = selected([self.event_id], rows)
        return EventColumns(user_id=user_id, api_key_id=api_key_id, event_id=event_id, **values)


_NESTED = ("attributed", "served", "energy", "charged")


def to_columns(events: Iterable[WireEvent]) -> EventColumns:
    """Columns of any number of events; order is kept."""
    columns: list[Sequence[Any]] = list(zip(*map(msgspec.structs.astuple, events), strict=True))
    if not columns:
        columns = [()] * len(FIELD_NAMES)
    n = len(columns[0])

    def column(name: str) -> Sequence[Any]:
        return columns[_AT[name]]

    tokens = {name: _integers(column(name)) for name in FIELD_NAMES if name.endswith("_tokens")}
    ended_at_us, valid = parse_times(column("ended_at"))
    duration_us, duration_valid = _durations(column("started_at"), ended_at_us)
    valid &= duration_valid & consistent(tokens) & _has_model(column("request_model"), column("response_model"))
    return EventColumns(
        attributed=tuple(map(column, ATTRIBUTION_FIELDS)),
        served=tuple(map(column, SERVICE_FIELDS + (FACTOR_FIELDS if _any_factor(columns, n) else ()))),
        user_id=column("user_id"),
        api_key_id=column("api_key_id"),
        event_id=column("event_id"),
        ended_at_us=ended_at_us,
        duration_us=duration_us,
        inference=~_matches(column("gateway_cache_hit"), wanted=True),
        failed=_matches(column("status"), wanted="error"),
        flags=_quality_flags(column("usage_quality"), n),
        valid=valid,
        untimed=np.zeros(n, dtype=np.bool_),
        energy=tuple(map(column, ENERGY_FIELDS)) if column(ENERGY_FIELDS[0]).count(None) < n else (),
        charged=(),
        **tokens,
    )


def as_untimed(events: EventColumns) -> EventColumns:
    """The events as such that have no time of their own."""
    return replace(events, untimed=np.ones(len(events), dtype=np.bool_))


def earliest_records_us(events: EventColumns) -> NDArray[np.int64]:
    """When the earliest record can have ended that an event is or repeats: for one without a time, the day before."""
    times_us = events.ended_at_us
    if not events.untimed.any():
        return times_us
    return np.where(events.untimed, day_start_us(times_us) - DAY_US, times_us)


def with_provenance(events: EventColumns, provenance: Sequence[Provenance]) -> EventColumns:
    """The events with the values of PROVENANCE_FIELDS of each; as they are where none has any."""
    if not any(source_format for source_format, _ in provenance):
        return events
    served = _padded(events.served, len(SERVICE_FIELDS) + len(FACTOR_FIELDS), len(events))
    return replace(events, served=(*served, *zip(*provenance, strict=True)))


def concatenate(parts: Sequence[EventColumns]) -> EventColumns:
    """All parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return to_columns(())
    width = max(len(part.served) for part in parts)
    metered = max(len(part.energy) for part in parts)
    parts = [
        replace(
            part,
            served=_padded(part.served, width, len(part)),
            energy=_padded(part.energy, metered, len(part)),
        )
        for part in parts
    ]
    merged: dict[str, Any] = {}
    for field in fields(EventColumns):
        values = [getattr(part, field.name) for part in parts]
        if isinstance(values[0], np.ndarray):
            merged[field.name] = np.concatenate(values)
        elif field.name in _NESTED:
            merged[field.name] = tuple(list(chain.from_iterable(inner)) for inner in zip(*values, strict=True))
        else:
            merged[field.name] = list(chain.from_iterable(values))
    return EventColumns(**merged)


def _padded(columns: tuple[Sequence[Any], ...], width: int, n: int) -> tuple[Sequence[Any], ...]:
    return (*columns, *[(None,) * n] * (width - len(columns)))


def _any_factor(columns: list[Sequence[Any]], n: int) -> bool:
    return any(columns[_AT[name]].count(None) < n for name in FACTOR_FIELDS)


def _integers(values: Sequence[int | None]) -> NDArray[np.int64]:
    n = len(values)
    # Comparing a number with None is slow in Python, and identity is not: so ask only where None is likely.
    if n and values[0] is None and values.count(None) == n:
        return np.full(n, UNKNOWN, dtype=np.int64)
    try:
        return np.fromiter(values, dtype=np.int64, count=n)
    except TypeError:  # a null
        return np.fromiter([UNKNOWN if value is None else value for value in values], dtype=np.int64, count=n)


def _matches(values: Sequence[Any], *, wanted: object) -> NDArray[np.bool_]:
    if wanted not in set(values):
        return np.zeros(len(values), dtype=np.bool_)
    return np.fromiter((value == wanted for value in values), dtype=np.bool_, count=len(values))


def _quality_flags(values: Sequence[str | None], n: int) -> NDArray[np.int32]:
    if set(values) <= {None, "reported"}:
        return np.zeros(n, dtype=np.int32)
    return np.fromiter((int(_QUALITY_FLAGS.get(value or "", 0)) for value in values), dtype=np.int32, count=n)


def _durations(
    started_at: Sequence[str | None], ended_at_us: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(ended - started, plausible): UNKNOWN where there is no start; implausible where the start lies after the end."""
    n = len(started_at)
    if not any(started_at):
        # Empty text is no time: the model refuses it.
        return np.full(n, UNKNOWN, dtype=np.int64), np.array([text is None for text in started_at], dtype=np.bool_)
    if all(started_at):
        known = np.ones(n, dtype=np.bool_)
    else:
        known = np.array([text is not None for text in started_at], dtype=np.bool_)
        started_at = [text or "" for text in started_at]
    started_at_us, understood = parse_times(started_at)  # type: ignore[arg-type]
    durations = np.where(known, ended_at_us - started_at_us, UNKNOWN)
    return durations, ~known | (understood & (durations >= 0))


def consistent(tokens: Mapping[str, NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Whether no part of a count is more than the count; shape (n,)."""
    known = {name: np.maximum(values, 0) for name, values in tokens.items()}
    cached = known["cache_read_input_tokens"] + known["cache_write_input_tokens"]
    inputs = (tokens["input_tokens"] == UNKNOWN) | (cached <= tokens["input_tokens"])
    outputs = (tokens["output_tokens"] == UNKNOWN) | (known["reasoning_output_tokens"] <= tokens["output_tokens"])
    both: NDArray[np.bool_] = inputs & outputs
    return both


def _has_model(requested: Sequence[str | None], responded: Sequence[str | None]) -> NDArray[np.bool_]:
    n = len(requested)
    if all(requested) or all(responded):
        return np.ones(n, dtype=np.bool_)
    return np.fromiter((bool(a or b) for a, b in zip(requested, responded, strict=True)), dtype=np.bool_, count=n)
