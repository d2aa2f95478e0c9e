"""Events whose names are numbered get the same keys and kinds as by their names, and ask again when names are looked up anew."""

from collections.abc import Iterable

import pytest
from sqlalchemy import Engine

from benchmarks.traffic import events
from rice_stream.events import decoding
from rice_stream.events.records import RawRecord
from rice_stream.events.together import blocks
from rice_stream.instants import DAY_US, datetime_of
from rice_stream.pipeline import names
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.runtime.opening_pipeline import open_pipeline
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.batch import Batch
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import open_engine
from tests.support.databases import Databases
from tests.support.fakes import NOON_US

N = 300


@pytest.fixture
def engine(sqlite: Databases) -> Engine:
    """An empty ledger."""
    return open_engine(sqlite.migrated())


def pipeline_of(engine: Engine) -> Pipeline:
    """One that nothing is known to yet."""
    pipeline, writer = open_pipeline(load_settings(environment={"RICE_DATABASE_URL": str(engine.url)}), engine)
    writer.close()
    return pipeline


def chunk() -> Chunk:
    """Events of many users, one after the other in time, the same whenever this is called."""
    start = datetime_of(NOON_US - DAY_US)
    return Chunk("t", 0, [RawRecord("t", 0, k, value) for k, (_, value) in enumerate(events(N, start=start))])


def assert_same(one: Batch, other: Batch) -> None:
    """All that would be written."""
    assert one.records.event_keys.tolist() == other.records.event_keys.tolist()
    assert list(one.records.event_ids) == list(other.records.event_ids)
    for name, column in one.records.columns.items():
        assert column.tolist() == other.records.columns[name].tolist(), name
    assert one.records.measures.tolist() == other.records.measures.tolist()
    assert one.rungs == other.rungs


def test_a_batch_is_the_same_by_numbers_as_by_names(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a pipeline that learns the names, of one that knows them, and of a batch that ends within a block."""
    monkeypatch.setattr(blocks, "_idle", [])  # others have read what is odd, and leave some blocks alone
    pipeline = pipeline_of(engine)
    first = pipeline.prepare([chunk()], NOON_US)
    again = pipeline.prepare([chunk()], NOON_US)
    part, _, left = pipeline.prepare_some([chunk()], NOON_US, items_max=N // 3)
    rest = pipeline.prepare(left, NOON_US)
    assert not isinstance(next(decoding.decode_blocks(chunk().records)).decoded.events, list)
    monkeypatch.setattr(decoding, "read_together", lambda _: None)
    by_names = pipeline_of(engine).prepare([chunk()], NOON_US)
    assert_same(first, by_names)
    assert_same(again, by_names)
    assert_same(part, pipeline.prepare_some([chunk()], NOON_US, items_max=N // 3).batch)
    assert len(part.records) + len(rest.records) == N


def test_users_are_asked_for_again_the_next_day(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store forgets those that no record holds any more, so a number may stand for another key then."""
    pipeline = pipeline_of(engine)
    pipeline.prepare([chunk()], NOON_US)
    asked: list[str] = []
    principals = Dimensions.principals

    def noted(self: Dimensions, kind: str, pairs: Iterable[tuple[int, str]]) -> dict[tuple[int, str], int]:
        asked.append(kind)
        return principals(self, kind, pairs)

    monkeypatch.setattr(Dimensions, "principals", noted)
    pipeline.prepare([chunk()], NOON_US + DAY_US // 2)
    assert asked == []
    pipeline.prepare([chunk()], NOON_US + DAY_US + 1)
    assert asked == ["user"]


def test_names_that_were_forgotten_are_learnt_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are more than are kept at hand."""
    pipeline = pipeline_of(engine)
    before = pipeline.prepare([chunk()], NOON_US)
    monkeypatch.setattr(names, "ATTRIBUTIONS_MAX", 1)
    assert_same(pipeline.prepare([chunk()], NOON_US), before)
    pipeline.forget()
    assert_same(pipeline.prepare([chunk()], NOON_US), before)
    pipeline._contexts.forget()
    assert_same(pipeline.prepare([chunk()], NOON_US), before)
