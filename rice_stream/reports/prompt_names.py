"""What the keys of many records stand for, looked up once for each key."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import text

from rice_stream.quantities import UNKNOWN, Ints
from rice_stream.reports.column_batches import Coded
from rice_stream.store.engine import Connection
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_key_in

_KEY_BITS = 32
_ASKED = {
    "postgresql": (
        "unnest(CAST(:tenant_keys AS int[]), CAST(:keys AS int[])) WITH ORDINALITY AS w (tenant_key, asked_key, place)"
    ),
    "sqlite": (
        "(SELECT key AS place, json_extract(value, '$[0]') AS tenant_key, json_extract(value, '$[1]') AS asked_key"
        " FROM json_each(:pairs)) w"
    ),
}


_JOINED = {
    # OFFSET keeps the planner from reading the whole table for a few thousand keys: each is one look-up.
    "postgresql": "LEFT JOIN LATERAL (SELECT * FROM {table} {alias} WHERE {condition} OFFSET 0) {alias} ON TRUE",
    "sqlite": "LEFT JOIN {table} {alias} ON {condition}",
}


class KeyedNames(NamedTuple):
    """A table that records point at: its alias, its column of keys, and what is read of it."""

    table: str
    alias: str
    key: str
    columns: str


def of_keys(connection: Connection, table: KeyedNames, keys: Ints) -> dict[str, Sequence[Any]]:
    """Columns of a table for the keys of records, by name."""
    return _looked_up(connection, table, f"{table.alias}.{table.key} = w.asked_key", keys * 0, keys, {})


def of_tenants_keys(
    connection: Connection, scope: Scope, table: KeyedNames, tenant_keys: Ints, keys: Ints
) -> dict[str, Sequence[Any]]:
    """The same, of a table whose keys are each tenant's own. UNKNOWN, and a name that is no longer kept, is None."""
    condition = (
        f"{table.alias}.tenant_key = w.tenant_key AND {table.alias}.{table.key} = w.asked_key"
        f" AND {tenant_key_in(scope, f'{table.alias}.tenant_key')}"
    )
    return _looked_up(connection, table, condition, tenant_keys, keys, scope_parameters(scope))


def _looked_up(
    connection: Connection, table: KeyedNames, condition: str, tenant_keys: Ints, keys: Ints, of_scope: dict[str, Any]
) -> dict[str, Sequence[Any]]:
    distinct, places = np.unique((tenant_keys << _KEY_BITS) + (keys - UNKNOWN), return_inverse=True)
    asked_tenants = (distinct >> _KEY_BITS).tolist()
    asked_keys = ((distinct & (1 << _KEY_BITS) - 1) + UNKNOWN).tolist()
    parameters: dict[str, Any] = {"tenant_keys": asked_tenants, "keys": asked_keys}
    if connection.dialect.name == "sqlite":
        parameters = {"pairs": json.dumps(list(zip(asked_tenants, asked_keys, strict=True)))}
    dialect = connection.dialect.name
    joined = _JOINED[dialect].format(table=table.table, alias=table.alias, condition=condition)
    statement = f"SELECT {table.columns} FROM {_ASKED[dialect]} {joined} ORDER BY w.place"
    found = connection.execute(text(statement), {**parameters, **of_scope})
    codes = places.astype(np.int32)
    return {
        name: Coded(values, codes) for name, values in zip(found.keys(), zip(*found.all(), strict=True), strict=True)
    }
