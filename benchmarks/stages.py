"""Processor time of an event by stage of the pipeline, in one process, each stage less what others take within it."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from benchmarks.harness import Row, stack
from benchmarks.traffic import events
from rice_stream.events.records import RawRecord
from rice_stream.pipeline.chunks import Chunk
from rice_stream.runtime.opening_pipeline import open_pipeline
from rice_stream.runtime.settings.loading import load_settings

BATCH = 20_000
WARM = 10
STAGES = {
    "JSON together": "rice_stream.events.decoding:read_together",
    "columns of those": "rice_stream.events.decoding:joined",
    "JSON to structs": "rice_stream.events.decoding:decode_plain",
    "structs to columns": "rice_stream.events.decoding:to_columns",
    "times": "rice_stream.events.columns:parse_times",
    "admission": "rice_stream.pipeline.admission:EventAdmission.admit",
    "stated factors": "rice_stream.pipeline.taken_factors:StatedFactors.taken",
    "names": "rice_stream.pipeline.names:NameTable.resolve",
    "kinds": "rice_stream.pipeline.contexts:ContextTable.resolve",
    "keys": "rice_stream.pipeline.pipeline:event_keys",
    "order and repeats": "rice_stream.pipeline.pipeline:in_key_order",
    "estimates and amounts": "rice_stream.pipeline.pipeline:Pipeline._records",
    "preparing, the rest": "rice_stream.pipeline.pipeline:Pipeline.prepare_some",
    "sums of totals": "rice_stream.store.writer:totals_of",
    "stream of COPY": "rice_stream.store.postgres:records_stream",
    "records to PostgreSQL": "rice_stream.store.postgres:PostgresWriter._insert",
    "totals to PostgreSQL": "rice_stream.store.postgres:PostgresWriter._add_totals",
    "committing, the rest": "rice_stream.pipeline.pipeline:Pipeline.commit",
}


def stages_of(count: int) -> list[Row]:
    """A row a stage, of batches as the worker makes them; the first ones, which meet the names, are left out."""
    with stack() as (servers, engine):
        pipeline, writer = open_pipeline(load_settings(environment=servers.environment()), engine)
        raw = [RawRecord("t", 0, number, value) for number, (_, value) in enumerate(events(count + WARM * BATCH))]
        batches = [[Chunk("t", 0, raw[first : first + BATCH])] for first in range(0, len(raw), BATCH)]
        for chunks in batches[:WARM]:
            pipeline.process(chunks, time.time_ns() // 1000)
        # As the worker does.
        gc.collect()
        gc.freeze()
        gc.disable()
        with _timed() as spent:
            for chunks in batches[WARM:]:
                pipeline.process(chunks, time.time_ns() // 1000)
        writer.close()
        gc.enable()
    whole = 1e6 * sum(spent.values()) / count
    return [
        Row.against(f"stage: {name}", 1e6 * spent[name] / count, "us an event", "all of the pipeline", whole)
        for name in STAGES
    ]


@contextmanager
def _timed() -> Iterator[dict[str, float]]:
    """Seconds of this thread by stage, while the block lasts."""
    spent = dict.fromkeys(STAGES, 0.0)
    within: list[float] = [0.0]
    undo: list[tuple[Any, str, Any]] = []
    for name, path in STAGES.items():
        module, _, attribute = path.partition(":")
        owner: Any = import_module(module)
        *holders, function = attribute.split(".")
        for holder in holders:
            owner = getattr(owner, holder)
        undo.append((owner, function, getattr(owner, function)))
        setattr(owner, function, _clocked(getattr(owner, function), name, spent, within))
    try:
        yield spent
    finally:
        for owner, function, original in undo:
            setattr(owner, function, original)


def _clocked(
    function: Callable[..., Any], name: str, spent: dict[str, float], within: list[float]
) -> Callable[..., Any]:
    def clocked(*arguments: Any, **named: Any) -> Any:
        within.append(0.0)
        began_s = time.thread_time()
        try:
            return function(*arguments, **named)
        finally:
            taken_s = time.thread_time() - began_s
            spent[name] += taken_s - within.pop()
            within[-1] += taken_s

    return clocked
