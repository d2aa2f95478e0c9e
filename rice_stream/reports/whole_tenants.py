"""Rows that are of a tenant as a whole, or of all tenants, as a scope sees them: of tables with a `tenant_id` and a `number`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table

from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Engine
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_id_in
from rice_stream.store.scoped import scoped_reading

_ALL = 2**31


def rows_of_whole_tenants_later(
    engine: Engine, scope: Scope, table: Table, *wanted: str, limit: int = _ALL, **parameters: Any
) -> Callable[[], Sequence[Mapping[str, Any]]]:
    """Those of the scope's tenants that are wanted, latest first; nothing for who sees some teams only. Once: asked now, and waited
    for when it is called (`asked_ahead`). `wanted`: conditions on a row in SQL, with `parameters`."""
    if scope.teams:
        return list
    names = [column.name for column in table.columns]
    conditions = " AND ".join([tenant_id_in(scope, "tenant_id"), *wanted])
    asked = statement(
        f"SELECT {', '.join(names)} FROM {table.name} WHERE {conditions} ORDER BY number DESC LIMIT :limit_rows"
    )
    with scoped_reading(engine, scope) as connection:
        rows = rows_later(connection, asked, {**scope_parameters(scope), **parameters, "limit_rows": limit})
    return lambda: [dict(zip(names, row, strict=True)) for row in rows()]
