"""Batches that share a transaction: each becomes what it would alone, and all of them are stored or none is."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import Engine

from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.store.batch import Batch, CommitResult
from rice_stream.store.engine import StoreUnavailableError, open_engine
from rice_stream.store.writers import open_writer
from tests.support.databases import Databases
from tests.support.fakes import NOON_US, chunk_of, event, fake_pipeline
from tests.support.store_checks import assert_exact, expected_sums, rows_in, tenant_sums
from tests.support.store_running import counts, progress_of

EVENTS = [event(event_id=f"e-{k}", tenant_id=f"t-{k % 3}", user_id=f"u-{k % 7}") for k in range(60)]
OTHER = event(event_id="e-3", tenant_id="t-0", user_id="u-3", output_tokens=77)
"""Contradicts one of the first batch."""
PAYLOADS: list[list[Any]] = [EVENTS[:30], [*EVENTS[20:50], OTHER, b"not JSON"], EVENTS[40:]]


@pytest.fixture
def engine(postgresql: Databases) -> Iterator[Engine]:
    """Without data, and without partitions."""
    engine = open_engine(postgresql.emptied())
    yield engine
    engine.dispose()


@pytest.fixture
def pipeline(engine: Engine) -> Iterator[Pipeline]:
    """A worker's."""
    writer = open_writer(engine)
    yield fake_pipeline(writer, engine)
    writer.close()


def prepared(pipeline: Pipeline) -> list[Batch]:
    """Three batches; the later ones repeat and contradict some of the first."""
    offsets = (0, 30, 62)
    chunks = [chunk_of(payloads, offset=offset) for payloads, offset in zip(PAYLOADS, offsets, strict=True)]
    return [pipeline.prepare([chunk], NOON_US) for chunk in chunks]


def both(pipeline: Pipeline, batch: Batch) -> None:
    """Write and commit."""
    pipeline.write(batch)
    pipeline.commit_written()


def assert_stored(engine: Engine, results: list[CommitResult]) -> None:
    """Every event once, whichever batch brought it first."""
    assert [counts(result) for result in results] == [(30, 0, 0, 0), (20, 10, 1, 1), (10, 10, 0, 0)]
    assert tenant_sums(rows_in(engine)) == expected_sums(EVENTS)
    assert_exact(rows_in(engine))
    progress = progress_of(engine)
    assert (progress["first_offset"], progress["last_offset"], progress["recorded"]) == (0, 81, 60)
    assert (progress["duplicates"], progress["conflicts"], progress["gaps"]) == (20, 1, 0)


def test_each_becomes_what_it_would_alone(engine: Engine, pipeline: Pipeline) -> None:
    """Repeats and contradictions of what an earlier batch of the same transaction has written included."""
    batches = prepared(pipeline)
    for batch in batches:
        pipeline.write(batch)
    assert not rows_in(engine)("prompt_record"), "nothing is seen before all of it is"
    assert_stored(engine, pipeline.commit_written())


@pytest.mark.parametrize("step", ["_insert_records", "_add_totals", "_save_progress"])
def test_where_it_fails_nothing_is_stored_and_each_can_be_stored_alone(
    engine: Engine, pipeline: Pipeline, step: str
) -> None:
    batches = prepared(pipeline)
    writer: Any = pipeline._writer
    written = pipeline.write(batches[0])
    away = mock.patch.object(writer, step, side_effect=StoreUnavailableError("away"))
    with away, pytest.raises(StoreUnavailableError):
        both(pipeline, batches[1])
    assert not rows_in(engine)("prompt_record")
    assert not rows_in(engine)("kafka_progress")
    assert_stored(engine, [pipeline.commit(batch) for batch in (written, *batches[1:])])


def test_what_would_wait_for_the_transaction_itself_does_not_share_it(engine: Engine, pipeline: Pipeline) -> None:
    """A partition that is still to be made waits for whoever writes records."""
    batch = prepared(pipeline)[0]
    assert not pipeline.may_share(batch)
    pipeline.commit(batch)
    assert pipeline.may_share(batch)
    untimed = replace(chunk_of([event(event_id="e-x")]), untimed=True)
    assert not pipeline.may_share(pipeline.prepare([untimed], NOON_US))
