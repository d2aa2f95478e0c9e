"""Alembic's entry: the database comes from `rice_stream.store.migrate`, the tables from `rice_stream.store.schema`.

`migrate` gives a connection within a transaction of its own; other commands of Alembic get an engine.
"""

from contextlib import nullcontext
from typing import Any

from alembic import context
from sqlalchemy import Connection

from rice_stream.store.partitions import is_partition_name
from rice_stream.store.schema import metadata


def include_object(schema_object: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any) -> bool:  # noqa: FBT001
    """Partitions are made as events need them: they are data, not schema. Some indexes are one database's only."""
    if kind == "index" and schema_object.info.get("only_on", connection.dialect.name) != connection.dialect.name:
        return False
    if kind == "index" and connection.dialect.name != "postgresql":
        return not any(schema_object.dialect_options["postgresql"].values())
    return not (kind == "table" and name is not None and is_partition_name(name))


bind = context.config.attributes["bind"]
with nullcontext(bind) if isinstance(bind, Connection) else bind.begin() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        include_object=include_object,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()
