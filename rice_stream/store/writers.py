"""The writer for a database, by its dialect."""

from sqlalchemy import Engine

from rice_stream.store.postgres import PostgresWriter
from rice_stream.store.sqlite import SqliteWriter
from rice_stream.store.writer import Writer


def open_writer(engine: Engine) -> Writer:
    """The writer for the engine's database."""
    return PostgresWriter(engine) if engine.dialect.name == "postgresql" else SqliteWriter(engine)
