"""A migrated store with the fake tables and method behind it, for the tests of the reports."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from rice_stream.estimator.method import Method
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.store import schema
from rice_stream.store.batch import CommitResult
from rice_stream.store.calendars import set_time_zone
from rice_stream.store.engine import open_engine, writing
from rice_stream.store.migrate import migrate
from rice_stream.store.writer import Writer
from rice_stream.store.writers import open_writer
from tests.support.fakes import (
    NOON_US,
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
            engine=self.engine,
            writer=self.writer,
            defaults=TOKEN_DEFAULTS,
            estimator=Estimator(fake_reference(), policy or FactorPolicy(), method),
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
        with writing(self.engine) as connection:
            set_time_zone(connection, tenant_id, time_zone)


def migrated_file(directory: Path) -> Path:
    """An empty SQLite database at the head of the migrations: to be copied, which is quicker than migrating."""
    path = directory / "template.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@contextmanager
def sqlite_store(template: Path, directory: Path) -> Iterator[Store]:
    """An empty store in a file of its own."""
    path = directory / "rice.db"
    shutil.copyfile(template, path)
    with _open(f"sqlite:///{path}") as store:
        yield store


@contextmanager
def postgres_store(url: str) -> Iterator[Store]:
    """A store in a migrated database, emptied of what the test before left there."""
    with _open(url) as store:
        tables = [name for name in schema.metadata.tables if name != "month_start"]
        store.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY")
        yield store


@contextmanager
def _open(url: str) -> Iterator[Store]:
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
