"""Requests that say no time themselves, as records with the timestamps that a broker gave them; and a topic of them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast
from unittest import mock

from sqlalchemy import Engine

from rice_stream.events.records import RawRecord
from rice_stream.instants import DAY_US
from rice_stream.kafka.topic_log import LogRange, Piece, TopicLog
from rice_stream.meter.requests import TokenDefaults
from rice_stream.pipeline.chunks import Chunk
from rice_stream.proof.topic_verification import verify_against_topic
from rice_stream.store.batch import Batch
from tests.support.fakes import NOON_US, FakeMethod

HOUR_US = DAY_US // 24
MIDNIGHT_US = NOON_US - 12 * HOUR_US
"""2026-11-22T00:00:00Z."""
TOPIC = "replies"


def reply(event_id: str | None = "msg_1", *, tenant: str = "acme", output_tokens: int = 5, **changes: Any) -> bytes:
    """What Anthropic's API answers: no time in it. 10 input tokens, as `fakes.event`."""
    usage = {"input_tokens": 10, "output_tokens": output_tokens, "cache_read_input_tokens": 0}
    usage["cache_creation_input_tokens"] = 0
    fields = {"id": event_id, "type": "message", "model": "small", "tenant_id": tenant, "usage": usage, **changes}
    return json.dumps(fields).encode()


class Log:
    """A topic in memory: what lies in each partition. `read` and `ranges` as of `TopicLog`."""

    def __init__(self, partitions: int = 1) -> None:
        self.records: list[list[RawRecord]] = [[] for _ in range(partitions)]

    def add(self, value: bytes, time_us: int | None, partition: int = 0) -> RawRecord:
        """Append a record with this timestamp."""
        record = RawRecord(TOPIC, partition, len(self.records[partition]), value, (), time_us)
        self.records[partition].append(record)
        return record

    def chunk(self, *records: RawRecord) -> Chunk:
        """Some of a partition's records, as fetched; all of them where none are given."""
        chosen: Sequence[RawRecord] = records or self.records[0]
        return Chunk(TOPIC, chosen[0].partition, chosen)

    @property
    def ranges(self) -> list[LogRange]:
        """See `TopicLog`."""
        return [LogRange(TOPIC, number, 0, len(records)) for number, records in enumerate(self.records)]

    def read(self) -> Iterator[Piece]:
        """See `TopicLog`."""
        return (Piece(part, self.records[part.partition]) for part in self.ranges)

    def verify(self, engine: Engine) -> dict[str, Any]:
        """`verify --against-topic`."""
        log = cast(TopicLog, self)
        return verify_against_topic(engine, log, method=FakeMethod(), defaults=TokenDefaults(100, 10))


@contextmanager
def version_before_0007() -> Iterator[None]:
    """Keys begin with the time of the record, and nothing else is looked for."""

    def as_it_is(batch: Batch, *_: Any) -> Batch:
        return batch

    with (
        mock.patch("rice_stream.events.columns.key_times_us", lambda ended_at_us, _: ended_at_us),
        mock.patch("rice_stream.store.writer.without_known_on_other_days", as_it_is),
        mock.patch("rice_stream.store.batch.Records.said", lambda self, name: self.columns[name]),
    ):
        yield
