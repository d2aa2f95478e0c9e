"""What is done to a table, from a table to a table, and by which settings: the same rows in any cut give the same rows.

Nothing here asks a clock, a database or the network: a `Job` says what they would. Files that the settings name (own tables, a
site file) have to be where the function runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from rice_stream.events.records import RawRecord
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.requests import RecordedCounts, TokenDefaults
from rice_stream.meter.restated import RecordedPrompts, RestatedKind, kind_by, restated
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.keys_at_hand import KeysAtHand
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.quantities import ENTRY_AMOUNTS
from rice_stream.runtime.opening_estimator import open_estimator, token_defaults
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.runtime.settings.settings import Settings
from rice_stream.spark.record_table import (
    FACTORS,
    KEY,
    RECORDS,
    factor_row,
    factors_text,
    integers,
    metered_or_none,
    record_table,
)
from rice_stream.spark.sums import SUMS, measures_of, summed
from rice_stream.store.batch import Batch
from rice_stream.store.identity_rules import IdentityRules
from rice_stream.store.record_columns import TOKEN_COLUMNS

LOGS = pa.schema(
    [
        pa.field("topic", pa.string(), nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp_us", pa.int64()),
        pa.field("value", pa.binary()),
    ]
)
"""Records of a log, as a topic or the lines of a file have them; a format that needs headers is told by its topic's settings."""
REFUSED = pa.schema(
    [
        *(LOGS.field(name) for name in ("topic", "partition", "offset")),
        pa.field("item", pa.int64(), nullable=False),
        pa.field("items", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
    ]
)
"""Items that are no events, and why; their text is nowhere."""
CORRECTIONS = pa.schema(
    [
        *(RECORDS.field(name) for name in (*KEY, "event_id", "ended_at_us")),
        *(pa.field(name, pa.int64(), nullable=False) for name in ENTRY_AMOUNTS),
        pa.field("basis_flags", pa.int64(), nullable=False),
        pa.field(FACTORS, pa.string(), nullable=False),
    ]
)
"""By how much what is counted of a record changes, and what it rests on then."""


@dataclass(frozen=True, slots=True)
class Job:
    """Settings as their environment variables, and when all is taken to have arrived (epoch microseconds)."""

    settings: tuple[tuple[str, str], ...]
    received_at_us: int


def estimated(logs: pa.Table, job: Job) -> pa.Table:
    """The events of LOGS as RECORDS: decoded, looked up and estimated as a worker does it.

    An event is there once within the table; where its deliveries do not say the same, several times, for `once` to choose from.
    Names stand for themselves: mappings and factor sets of a database are not asked. What is refused is told by `refused`.
    """
    batch, keys = _prepared(logs, job)
    if len(logs) > 1 and _depends_on_order(batch):
        half = len(logs) // 2
        return pa.concat_tables([estimated(logs.slice(0, half), job), estimated(logs.slice(half), job)])
    return record_table(batch.records, keys)


def _depends_on_order(batch: Batch) -> bool:
    """Whether another order of deliveries might leave other records: of an event without a time, its first delivery says when."""
    repeats = batch.repeats
    return len(repeats.others) > 0 or (bool(repeats.count.any()) and bool(batch.records.untimed.any()))


def refused(logs: pa.Table, job: Job) -> pa.Table:
    """The items of LOGS that are no events, as REFUSED."""
    batch, _ = _prepared(logs, job)
    rows = [(*item.record[:3], item.item, item.items, item.reason, item.detail) for item in batch.refused]
    columns = list(zip(*rows, strict=True)) or [()] * len(REFUSED)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, REFUSED, strict=True)], schema=REFUSED
    )


def corrected(records: pa.Table, job: Job) -> pa.Table:
    """What changes of RECORDS by the method and the factors of the settings, as CORRECTIONS: those alone that change."""
    opened = _opened(job)
    texts, use = _kinds(records, opened.estimator)
    if not texts:
        return CORRECTIONS.empty_table()
    kinds = [_restated_kind(opened.estimator, text, start_us) for text, start_us in texts]
    tokens = {name: integers(records, name) for name in TOKEN_COLUMNS}
    counts = RecordedCounts(
        input_tokens=tokens["input_tokens"],
        cache_read_input_tokens=tokens["cache_read_input_tokens"],
        output_tokens=tokens["output_tokens"],
        flags=integers(records, "basis_flags").astype(np.int32),
        metered_energy_uj=metered_or_none(records),
    )
    target = restated(opened.estimator.method, kinds, RecordedPrompts(use, counts, tokens), opened.defaults)
    difference = target.amounts - measures_of(records)
    rows = np.flatnonzero(difference.any(axis=1))
    kept = records.select([*KEY, "event_id", "ended_at_us"]).take(pa.array(rows))
    new_factors = [_factors_text(kind) for kind in kinds]
    columns = {
        **{name: kept.column(name) for name in kept.column_names},
        **{name: pa.array(difference[rows, place]) for place, name in enumerate(ENTRY_AMOUNTS)},
        "basis_flags": pa.array(target.basis_flags[rows]),
        FACTORS: pa.array([new_factors[kind] for kind in use[rows].tolist()], pa.string()),
    }
    return pa.table([columns[name] for name in CORRECTIONS.names], schema=CORRECTIONS)


def exported(records: pa.Table, _job: Job) -> pa.Table:
    """What RECORDS add up to by cost centre, team, project, model and day, as SUMS: rows of a chargeback.

    Of parts, `added` makes those of the whole.
    """
    return summed(records)


FUNCTIONS: dict[str, tuple[Callable[[pa.Table, Job], pa.Table], pa.Schema]] = {
    "estimate": (estimated, RECORDS),
    "refused": (refused, REFUSED),
    "restate": (corrected, CORRECTIONS),
    "export": (exported, SUMS),
}
"""By name, with the schema of what each gives: a name travels to other processes."""


@dataclass(frozen=True, slots=True)
class _Opened:
    settings: Settings
    estimator: Estimator
    defaults: TokenDefaults


@lru_cache(maxsize=4)
def _opened(job: Job) -> _Opened:
    """Once a process: reading the tables takes longer than a table of events."""
    settings = load_settings(environment=dict(job.settings))
    return _Opened(settings, open_estimator(settings), token_defaults(settings))


def _prepared(logs: pa.Table, job: Job) -> tuple[Batch, KeysAtHand]:
    opened, keys = _opened(job), KeysAtHand()
    rules = IdentityRules(formats=opened.settings.format_options())
    pipeline = Pipeline(
        dimensions=keys,
        writer=None,
        estimator=opened.estimator,
        defaults=opened.defaults,
        rules=lambda now_us, *, anew=False: rules,
        trust=opened.settings.trust_policy(),
        now_us=lambda: job.received_at_us,
    )
    places: dict[tuple[str, int], list[RawRecord]] = {}
    names = ("topic", "partition", "offset", "value", "timestamp_us")
    for topic, partition, offset, value, timestamp_us in zip(*(logs.column(n).to_pylist() for n in names), strict=True):
        record = RawRecord(topic, partition, offset, value, timestamp_us=timestamp_us)
        places.setdefault((topic, partition), []).append(record)
    chunks = [
        Chunk(*place, sorted(records, key=lambda record: record.offset)) for place, records in sorted(places.items())
    ]
    return pipeline.prepare(chunks, job.received_at_us), keys


def _kinds(
    records: pa.Table, estimator: Estimator
) -> tuple[list[tuple[str, int]], np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """(factors, start of the stretch of time in which no factor changes) of each kind, and the kind of each record."""
    numbers: dict[tuple[str, int], int] = {}
    starts: dict[int, int] = {}
    ended_at_us = records.column("ended_at_us").to_pylist()
    for at_us in ended_at_us:
        if at_us not in starts:
            starts[at_us] = estimator.stretch_start_us(at_us)
    pairs = zip(records.column(FACTORS).to_pylist(), map(starts.__getitem__, ended_at_us), strict=True)
    use = np.fromiter((numbers.setdefault(pair, len(numbers)) for pair in pairs), np.intp, len(records))
    return list(numbers), use


def _restated_kind(estimator: Estimator, factors: str, start_us: int) -> RestatedKind:
    return kind_by(estimator.at(start_us), factor_row(factors))


def _factors_text(kind: RestatedKind) -> str:
    if kind.use is None:
        raise AssertionError("a kind by an estimator has its factors")
    return factors_text(kind.use.columns)
