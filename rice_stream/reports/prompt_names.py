"""What the keys of many records stand for, looked up once for each key."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from rice_stream.quantities import UNKNOWN, Ints
from rice_stream.reports.column_batches import Coded
from rice_stream.store.engine import Connection
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_key_in

_KEY_BITS = 32
_KNOWN_MAX = 50_000
"""Names that are kept of a table, about."""
_SPAN_FEW = 1 << 17
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


class KnownNames:
    """What keys of a table stood for when they were asked for, within one transaction, so that each is asked for once."""

    def __init__(self, table: KeyedNames) -> None:
        self.table = table
        self.columns: Sequence[str] = ()
        self.rows: dict[int, Sequence[Any]] = {}
        """By tenant and key, as `_packed` has them."""


def of_keys(connection: Connection, known: KnownNames, keys: Ints) -> dict[str, Sequence[Any]]:
    """Columns of a table for the keys of records, by name."""
    table = known.table
    return _looked_up(connection, known, f"{table.alias}.{table.key} = w.asked_key", keys * 0, keys, {})


def of_tenants_keys(
    connection: Connection, scope: Scope, known: KnownNames, tenant_keys: Ints, keys: Ints
) -> dict[str, Sequence[Any]]:
    """The same, of a table whose keys are each tenant's own. UNKNOWN, and a name that is no longer kept, is None."""
    table = known.table
    condition = (
        f"{table.alias}.tenant_key = w.tenant_key AND {table.alias}.{table.key} = w.asked_key"
        f" AND {tenant_key_in(scope, f'{table.alias}.tenant_key')}"
    )
    return _looked_up(connection, known, condition, tenant_keys, keys, scope_parameters(scope))


def _looked_up(
    connection: Connection,
    known: KnownNames,
    condition: str,
    tenant_keys: Ints,
    keys: Ints,
    of_scope: dict[str, Any],
) -> dict[str, Sequence[Any]]:
    distinct, codes = _distinct((tenant_keys << _KEY_BITS) + (keys - UNKNOWN))
    wanted = distinct.tolist()
    if len(known.rows) > _KNOWN_MAX:
        known.rows.clear()
    missing = [each for each in wanted if each not in known.rows]
    if missing:
        _ask(connection, known, missing, condition, of_scope)
    columns = zip(*map(known.rows.__getitem__, wanted), strict=True)
    return {name: Coded(values, codes) for name, values in zip(known.columns, columns, strict=True)}


def _distinct(packed: Ints) -> tuple[Ints, NDArray[np.int32]]:
    """The numbers that there are, in their order, and the place of each one's."""
    lowest = int(packed.min())
    span = int(packed.max()) - lowest + 1
    if span > _SPAN_FEW:
        distinct, inverse = np.unique(packed, return_inverse=True)
        return distinct, inverse.astype(np.int32)
    # Keys are given one after another: those of a batch are found without sorting it.
    is_there = np.zeros(span, dtype=bool)
    is_there[packed - lowest] = True
    places = np.cumsum(is_there, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(is_there) + lowest, places[packed - lowest]


def _ask(
    connection: Connection, known: KnownNames, missing: Sequence[int], condition: str, of_scope: dict[str, Any]
) -> None:
    asked_tenants = [each >> _KEY_BITS for each in missing]
    asked_keys = [(each & (1 << _KEY_BITS) - 1) + UNKNOWN for each in missing]
    parameters: dict[str, Any] = {"tenant_keys": asked_tenants, "keys": asked_keys}
    if connection.dialect.name == "sqlite":
        parameters = {"pairs": json.dumps(list(zip(asked_tenants, asked_keys, strict=True)))}
    dialect, table = connection.dialect.name, known.table
    joined = _JOINED[dialect].format(table=table.table, alias=table.alias, condition=condition)
    statement = f"SELECT {table.columns} FROM {_ASKED[dialect]} {joined} ORDER BY w.place"
    found = connection.execute(text(statement), {**parameters, **of_scope})
    known.columns = tuple(found.keys())
    known.rows.update(zip(missing, map(tuple, found.all()), strict=True))
