"""Times of recorded requests by kind: what `rice-stream calibrate --from-ledger` learns the batch of open models from."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, Engine

from rice_stream.basis import Basis
from rice_stream.estimator.calibrated.method import CalibratedMethod
from rice_stream.estimator.method import Context
from rice_stream.instants import SECOND_US
from rice_stream.meter.duration_calibration import (
    OUTPUT_TOKENS_MIN,
    Narrowed,
    NotNarrowed,
    Timed,
    narrowed,
    unfit,
)
from rice_stream.meter.recompute import stored_kind
from rice_stream.quantities import UNKNOWN
from rice_stream.reference.types import KNOWN_MODEL_RUNGS
from rice_stream.reports.traffic_records import Traffic, traffic_records
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot
from rice_stream.store.stored_records import factors_by_key

EVENTS_MAX = 200_000
"""Requests of one kind that are looked at: the first ones of the stretch. More say no more."""
_COLUMNS = ("factor_key", "duration_us", "input_tokens", "output_tokens")
_SAYS_NOTHING = Basis.GATEWAY_CACHE_HIT | Basis.CACHE_HIT_NOT_TRUSTED | Basis.REQUEST_FAILED
"""Flags of requests whose time is not that of an answer."""


class Kind(NamedTuple):
    """Requests of one model at one provider on one set-up."""

    provider: str
    model: str
    hardware: str
    devices: float | None
    batch_size: float | None


class KindTimes(NamedTuple):
    """What the times of one kind say."""

    kind: Kind
    context: Context
    found: Narrowed | NotNarrowed
    events: int
    """Requests that ran and have a duration, short answers included."""


def narrowed_kinds(engine: Engine, scope: Scope, traffic: Traffic, method: CalibratedMethod) -> list[KindTimes]:
    """Every kind of request in the stretch that has durations, most requests first, with what its times say of its batch."""
    contexts: dict[Kind, Context] = {}
    unfits: dict[Kind, NotNarrowed | None] = {}
    events: dict[Kind, int] = defaultdict(int)
    columns: dict[Kind, list[np.ndarray[Any, Any]]] = defaultdict(list)
    factors: dict[int, Mapping[str, Any]] = {}
    with snapshot(engine, scope) as connection:
        for rows in _records(connection, scope, traffic):
            factors_by_key(connection, np.unique(rows[:, 0]).tolist(), factors)
            for factor_key in np.unique(rows[:, 0]).tolist():
                chosen = rows[rows[:, 0] == factor_key]
                kind, context = _kind(factors[factor_key])
                if kind not in unfits:
                    contexts[kind] = context
                    unfits[kind] = unfit(
                        open_model=_is_open(context, factors[factor_key]),
                        hardware_known=context.hardware_known,
                        batch_stated=context.batch_size is not None,
                    )
                if unfits[kind] is None and events[kind] < EVENTS_MAX:
                    columns[kind].append(chosen[chosen[:, 3] >= OUTPUT_TOKENS_MIN, 1:])
                events[kind] += len(chosen)
    found = [
        KindTimes(kind, contexts[kind], why or narrowed(_timed(contexts[kind], columns[kind]), method), events[kind])
        for kind, why in unfits.items()
    ]
    return sorted(found, key=lambda one: (-one.events, one.kind[:3]))


def _timed(context: Context, parts: Sequence[np.ndarray[Any, Any]]) -> Timed:
    rows = np.concatenate(parts) if parts else np.empty((0, 3), dtype=np.int64)
    duration_us, input_tokens, output_tokens = rows[:EVENTS_MAX].T
    return Timed(context, duration_us / SECOND_US, input_tokens, output_tokens)


def _kind(factor: Mapping[str, Any]) -> tuple[Kind, Context]:
    context = stored_kind(factor).context
    hardware = context.hardware if context.hardware_known else ""
    return (
        Kind(factor["provider"], factor["model_resolved"], hardware, context.devices, context.batch_size),
        context,
    )


def _is_open(context: Context, factor: Mapping[str, Any]) -> bool:
    """Whether the model's size is known and not estimated."""
    total, active = context.params_total_b, context.params_active_b
    return factor["model_rung"] in KNOWN_MODEL_RUNGS and total.low == total.high and active.low == active.high


def _records(connection: Connection, scope: Scope, traffic: Traffic) -> Iterator[np.ndarray[Any, Any]]:
    """(factor_key, duration_us, input_tokens, output_tokens) of requests that ran, thousands at a time."""
    for records in traffic_records(connection, scope, traffic, (*_COLUMNS, "basis_flags"), in_order=True):
        says_time = records["duration_us"] > 0
        says_time &= (records["input_tokens"] != UNKNOWN) & (records["output_tokens"] != UNKNOWN)
        says_time &= (records["basis_flags"] & int(_SAYS_NOTHING)) == 0
        if says_time.any():
            yield np.column_stack([records[name][says_time] for name in _COLUMNS])
