"""Alembic's entry: the engine comes from `rice_stream.store.migrate`, the tables from `rice_stream.store.schema`."""

from typing import Any

from alembic import context

from rice_stream.store.partitions import month_of_name
from rice_stream.store.schema import metadata


def include_object(schema_object: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any) -> bool:  # noqa: FBT001
    """Monthly partitions are made as events need them: they are data, not schema. Some indexes are PostgreSQL's only."""
    if kind == "index" and connection.dialect.name != "postgresql":
        return not any(schema_object.dialect_options["postgresql"].values())
    return not (kind == "table" and name is not None and month_of_name(name) is not None)


with context.config.attributes["engine"].begin() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        include_object=include_object,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()
