"""Migrations and schema say the same, and go up, down and up again."""

from alembic import command
from sqlalchemy import inspect

from rice_stream import schema
from rice_stream.store import open_engine
from rice_stream.store.migrate import alembic_config, head_revision, migrate


def test_migrations_go_up_down_and_up_again_and_match_the_schema(sqlite_file: str) -> None:
    """`alembic check` finds nothing that autogenerate would add."""
    engine = open_engine(sqlite_file)
    assert migrate(engine) == (None, head_revision(engine))
    command.check(alembic_config(engine))
    assert migrate(engine, "base") == (head_revision(engine), None)
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    migrate(engine)
    tables = set(inspect(engine).get_table_names())
    assert set(schema.metadata.tables) <= tables
    assert set(inspect(engine).get_view_names()) == {"prompt_emission", "rolling_totals", "hourly_totals"}


def test_migrating_again_changes_nothing(sqlite_file: str) -> None:
    engine = open_engine(sqlite_file)
    migrate(engine)
    head = head_revision(engine)
    assert migrate(engine) == (head, head)
