"""Batches through a pipeline on the fake tables and method, as one call; and transactions that fail where a test says."""

from collections.abc import Iterable
from random import Random
from typing import Any

from sqlalchemy import Engine

from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.store.batch import CommitResult
from rice_stream.store.writers import open_writer
from tests.simulation.store import Faults
from tests.support.fakes import NOON_US, fake_pipeline
from tests.support.store_checks import rows_in


def new_pipeline(engine: Engine, **changes: Any) -> Pipeline:
    """A worker's pipeline, as after a start."""
    return fake_pipeline(open_writer(engine), engine, **changes)


def store(engine: Engine, *chunks: Chunk, received_at_us: int = NOON_US) -> CommitResult:
    """One batch through a pipeline of its own."""
    return new_pipeline(engine).process(chunks, received_at_us)


def counts(result: CommitResult) -> tuple[int, int, int, int]:
    """(recorded, duplicates, conflicts, quarantined)."""
    return result.recorded, result.duplicates, result.conflicts, result.quarantined


def progress_of(engine: Engine, partition: int = 0) -> dict[str, Any]:
    """The row of a partition."""
    return next(row for row in rows_in(engine)("kafka_progress") if row["partition"] == partition)


class FixedFaults(Faults):
    """Fails the next transactions at one step each, then no more."""

    def __init__(self, steps: Iterable[str]) -> None:
        super().__init__(Random(0))
        self._steps = list(steps)

    def plan(self) -> str | None:
        return self._steps.pop(0) if self._steps else None
