"""How far each partition has been read: the proof that no offset was left out."""

import time

from sqlalchemy import select

from rice_stream.events.records import RawRecord
from rice_stream.pipeline.chunks import Chunk
from rice_stream.runtime.opening_pipeline import open_pipeline
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store import schema
from rice_stream.store.engine import open_engine, reading
from tests.support.databases import Databases


def _event(number: int) -> bytes:
    return (
        f'{{"event_id":"e{number}","tenant_id":"t","ended_at":"2026-11-22T19:00:00Z","request_model":"gpt-4o",'
        '"input_tokens":10,"output_tokens":5}'
    ).encode()


def test_offsets_that_no_batch_brought_are_counted_as_gaps(sqlite: Databases) -> None:
    """Holes within a chunk and between batches alike; a re-delivery is no hole."""
    url = sqlite.migrated()
    engine = open_engine(url)
    pipeline, writer = open_pipeline(load_settings(environment={"RICE_DATABASE_URL": url}), engine)

    def process(*offsets: int) -> None:
        records = [RawRecord("topic", 0, offset, _event(offset)) for offset in offsets]
        pipeline.process([Chunk("topic", 0, records)], time.time_ns() // 1000)

    process(5, 6, 8)
    process(9, 10)
    process(9, 10)
    process(14)
    writer.close()
    columns = schema.kafka_progress.c
    with reading(engine) as connection:
        row = connection.execute(select(schema.kafka_progress)).mappings().one()
    assert (row[columns.first_offset], row[columns.last_offset]) == (5, 14)
    assert row[columns.gaps] == 1 + 3, "offset 7, and 11 to 13"
    assert (row[columns.recorded], row[columns.duplicates]) == (6, 2)
    assert row[columns.events] == row[columns.recorded] + row[columns.duplicates] + row[columns.conflicts]
