"""The same schema on PostgreSQL."""

from collections.abc import Callable

from alembic import command

from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import alembic_config, migrate
from rice_stream.store.revisions import head_revision


def test_migrations_go_up_down_and_up_again_and_match_the_schema(postgres_url: Callable[[], str]) -> None:
    """`alembic check` finds nothing that autogenerate would add; partitions are data, not schema."""
    engine = open_engine(postgres_url())
    assert migrate(engine) == (None, head_revision())
    command.check(alembic_config(engine))
    assert migrate(engine, "base") == (head_revision(), None)
    migrate(engine)
    engine.dispose()
