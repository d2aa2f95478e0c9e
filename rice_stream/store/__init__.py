"""The SQL store: statements per dialect, no decisions."""

from sqlalchemy import Engine

from rice_stream.store.batch import Batch, CommitResult, Conflict, Progress, Records
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import StoreUnavailableError, open_engine, reading, store_errors, writing
from rice_stream.store.postgres import PostgresWriter
from rice_stream.store.sqlite import SqliteWriter
from rice_stream.store.writer import Writer

__all__ = [
    "Batch",
    "CommitResult",
    "Conflict",
    "Dimensions",
    "Progress",
    "Records",
    "StoreUnavailableError",
    "Writer",
    "open_engine",
    "open_writer",
    "reading",
    "store_errors",
    "writing",
]


def open_writer(engine: Engine) -> Writer:
    """The writer for the engine's database."""
    return PostgresWriter(engine) if engine.dialect.name == "postgresql" else SqliteWriter(engine)
