"""A migrated store with the fake tables and method behind it, for the tests of the reports."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text

from rice_stream.pipeline import Pipeline
from rice_stream.store import CommitResult, Writer, open_engine, open_writer, writing
from rice_stream.store.calendars import set_time_zone
from rice_stream.store.migrate import migrate
from tests.fakes import NOON_US, chunk_of, event, fake_pipeline

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class Store:
    """An engine, and a pipeline that writes to it; `add` sends payloads as the next records of partition 0."""

    engine: Engine
    writer: Writer
    pipeline: Pipeline
    offset: int = field(default=0)

    def add(self, *payloads: object, received_at_us: int = NOON_US) -> CommitResult:
        chunk = chunk_of(payloads, offset=self.offset)
        self.offset += len(payloads)
        return self.pipeline.process([chunk], received_at_us)

    def execute(self, statement: str, **values: Any) -> None:
        """Change something behind everybody's back."""
        with writing(self.engine) as connection:
            connection.execute(text(statement), values)

    def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        with writing(self.engine) as connection:
            return [dict(row) for row in connection.execute(text(statement), values).mappings()]

    def set_time_zone(self, tenant_id: str, time_zone: str) -> None:
        with writing(self.engine) as connection:
            set_time_zone(connection, tenant_id, time_zone)


@contextmanager
def open_test_store(url: str) -> Iterator[Store]:
    """An empty store at the URL."""
    engine = open_engine(url)
    migrate(engine)
    writer = open_writer(engine)
    try:
        yield Store(engine, writer, fake_pipeline(writer, engine))
    finally:
        writer.close()
        engine.dispose()


def at(moment: str, **changes: Any) -> dict[str, Any]:
    """An event without a start that ends at `moment`; its id is the moment unless one is given."""
    return event(**{"event_id": moment, "ended_at": moment, "started_at": ..., **changes})


def strip(rows: Sequence[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Some values of every row."""
    return [tuple(row[name] for name in names) for row in rows]
