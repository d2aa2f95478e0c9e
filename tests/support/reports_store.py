"""A migrated store with the fake tables and method behind it, for the tests of the reports."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text

from rice_stream.estimator.method import Method
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.store.batch import CommitResult
from rice_stream.store.calendars import set_time_zone
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import open_engine, writing
from rice_stream.store.writer import Writer
from rice_stream.store.writers import open_writer
from tests.support.fakes import (
    NOON_US,
    OPERATOR,
    TOKEN_DEFAULTS,
    chunk_of,
    event,
    fake_pipeline,
    fake_reference,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class Store:
    """An engine, and a pipeline that writes to it; `add` sends payloads as the next records of partition 0."""

    engine: Engine
    writer: Writer
    pipeline: Pipeline
    offset: int = field(default=0)

    def add(self, *payloads: object, received_at_us: int = NOON_US) -> CommitResult:
        """Process the payloads as one batch, as the worker would."""
        chunk = chunk_of(payloads, offset=self.offset)
        self.offset += len(payloads)
        return self.pipeline.process([chunk], received_at_us)

    def use(self, method: Method, policy: FactorPolicy | None = None) -> None:
        """Estimate with another method or other settings from now on."""
        self.pipeline = Pipeline(
            dimensions=Dimensions(self.engine),
            writer=self.writer,
            estimator=Estimator(fake_reference(), policy or FactorPolicy(), method),
            defaults=TOKEN_DEFAULTS,
        )

    def execute(self, statement: str, **values: Any) -> int:
        """Change something behind everybody's back; returns how many rows that changed."""
        with writing(self.engine) as connection:
            return connection.execute(text(statement), values).rowcount

    def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """What the database holds."""
        with writing(self.engine) as connection:
            return [dict(row) for row in connection.execute(text(statement), values).mappings()]

    def set_time_zone(self, tenant_id: str, time_zone: str) -> None:
        """The tenant's days begin there from now on."""
        set_time_zone(self.engine, tenant_id, time_zone, OPERATOR)


@contextmanager
def open_store(url: str) -> Iterator[Store]:
    """The store in a migrated database, with the pipeline's connections closed in the end."""
    engine = open_engine(url)
    writer = open_writer(engine)
    try:
        yield Store(engine, writer, fake_pipeline(writer, engine))
    finally:
        writer.close()
        engine.dispose()


def at(moment: str, **changes: Any) -> dict[str, Any]:
    """An event without a start that ends at `moment`; its id is the moment unless one is given."""
    return event(**{"event_id": moment, "ended_at": moment, "started_at": ..., **changes})


def picked(rows: Iterable[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Some values of every row."""
    return [tuple(row[name] for name in names) for row in rows]
