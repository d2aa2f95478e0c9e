"""Rows that are of a tenant as a whole, or of all tenants, as a scope sees them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, Select

from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading


def rows_of_whole_tenants(engine: Engine, scope: Scope, query: Select[Any]) -> Sequence[RowMapping]:
    """What a query for rows with a `tenant_id` finds of the scope's tenants; nothing for who sees some teams only."""
    if scope.teams:
        return []
    if scope.tenants is not None:
        query = query.where(query.selected_columns.tenant_id.in_(sorted(scope.tenants)))
    with scoped_reading(engine, scope) as connection:
        return connection.execute(query).mappings().all()
