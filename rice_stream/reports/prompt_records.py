"""Prompt records by column, in batches: tenant by tenant, each in the order of time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, text

from rice_stream.instants import datetime_of
from rice_stream.quantities import UNKNOWN, Ints
from rice_stream.reports.archived_prompts import ArchivedPrompts
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.prompts import prompt_conditions, tenant_keys
from rice_stream.reports.windows import bounds_us
from rice_stream.store.archive.kept import dropped_by_tenant
from rice_stream.store.copied import WireType, copied
from rice_stream.store.engine import Connection
from rice_stream.store.event_key_columns import stored_key
from rice_stream.store.horizon import records_from_us
from rice_stream.store.record_columns import INTEGER_COLUMNS, NULLABLE_COLUMNS, SOMETIMES_COLUMNS
from rice_stream.store.schema_records import prompt_record
from rice_stream.store.scope import Scope

_NUMBERS = (*INTEGER_COLUMNS, *SOMETIMES_COLUMNS)
_NULLABLE = {*NULLABLE_COLUMNS, *SOMETIMES_COLUMNS}
_WIRE_TYPES: dict[str, WireType] = {
    **{name: "int8" if isinstance(prompt_record.c[name].type, BigInteger) else "int4" for name in _NUMBERS},
    "event_key": "uuid",
}
_OWN = ", ".join(
    [
        *(f"COALESCE(r.{name}, {UNKNOWN}) AS {name}" if name in _NULLABLE else f"r.{name}" for name in _NUMBERS),
        "r.event_key",
        "r.event_id",
    ]
)
_OF_TENANTS = f"""
SELECT {_OWN}
FROM unnest(CAST(:tenant_keys AS int[]), CAST(:from_keys AS uuid[])) WITH ORDINALITY AS w (tenant_key, from_key, place)
CROSS JOIN LATERAL (
  SELECT r.* FROM prompt_record r
  WHERE r.tenant_key = w.tenant_key AND r.event_key >= w.from_key AND {{conditions}}
  ORDER BY r.event_key LIMIT :limit
) r
ORDER BY w.place, r.event_key LIMIT :limit"""
_OF_TENANT = f"""
SELECT {_OWN} FROM prompt_record r
WHERE r.tenant_key = :tenant_key AND r.event_key >= :from_key AND {{conditions}}
ORDER BY r.event_key LIMIT :limit"""
_TENANTS_AT_ONCE = 1_000
_LOWEST = bytes(16)


class RecordBatch:
    """Numbers by their column, UNKNOWN where there is none; ids of the events; the last one's tenant and key."""

    def __init__(self, numbers: Mapping[str, Ints], event_ids: Sequence[str], last_event_key: bytes) -> None:
        self.numbers = numbers
        self.event_ids = event_ids
        self.last_tenant_key = int(numbers["tenant_key"][-1])
        self.last_event_key = last_event_key

    def __len__(self) -> int:
        """How many."""
        return len(self.event_ids)

    @property
    def next_key(self) -> bytes | None:
        """The lowest key after the last one's; None: there is none."""
        following = int.from_bytes(self.last_event_key, "big") + 1
        return following.to_bytes(16, "big") if following < 1 << 128 else None


def record_batches(connection: Connection, scope: Scope, asked: PromptFilter, limit: int) -> Iterator[RecordBatch]:
    """The records of the scope that are asked for, in the order of the ids of their tenants and of their event keys; what retention
    has dropped of them from the archive, where they are in it.

    Each batch is a statement of its own, of at most `limit` records: neither side holds more, and others can be asked between.
    """
    keys = [key for _, key in tenant_keys(connection, scope)]
    bounds = bounds_us(asked.start, asked.end, asked.time_zone)
    files = dropped_by_tenant(connection, *bounds)
    if not files.keys() & set(keys):
        yield from _of_tenants(connection, scope, keys, asked, limit)
        return
    horizon_us = records_from_us(connection)
    kept = replace(asked, start=datetime_of(horizon_us)) if horizon_us < bounds[1] else None
    for key in keys:
        if key in files:
            archived = ArchivedPrompts(connection, scope, key, asked, (bounds[0], min(bounds[1], horizon_us)))
            for rows in archived.batches(files[key], limit):
                yield RecordBatch(rows.numbers, rows.event_ids, rows.event_keys[-1].tobytes())
        if key not in files or kept is not None:
            yield from _of_tenants(connection, scope, [key], asked if key not in files or kept is None else kept, limit)


def _of_tenants(
    connection: Connection, scope: Scope, keys: list[int], asked: PromptFilter, limit: int
) -> Iterator[RecordBatch]:
    """What the database has of them."""
    conditions, parameters = prompt_conditions(connection.dialect.name, scope, asked)
    is_postgresql = connection.dialect.name == "postgresql"
    read, at_once = (_copied, _TENANTS_AT_ONCE) if is_postgresql else (_selected, 1)
    for start in range(0, len(keys), at_once):
        left, from_key = keys[start : start + at_once], _LOWEST
        while left:
            records = read(connection, left, from_key, conditions, {**parameters, "limit": limit})
            if records is not None:
                yield records
            if records is None or len(records) < limit:
                break
            left = left[left.index(records.last_tenant_key) :]
            following = records.next_key
            left, from_key = (left[1:], _LOWEST) if following is None else (left, following)


def _copied(
    connection: Connection, tenant_keys: list[int], from_key: bytes, conditions: str, parameters: dict[str, Any]
) -> RecordBatch | None:
    from_keys = [stored_key("postgresql", from_key), *[stored_key("postgresql", _LOWEST)] * (len(tenant_keys) - 1)]
    found = copied(
        connection,
        _OF_TENANTS.format(conditions=conditions),
        {**parameters, "tenant_keys": tenant_keys, "from_keys": from_keys},
        _WIRE_TYPES,
    )
    if not len(found.texts):
        return None
    numbers = {name: found.columns[name].astype(np.int64) for name in _NUMBERS}
    return RecordBatch(numbers, found.texts, found.columns["event_key"][-1].tobytes())


def _selected(
    connection: Connection, tenant_keys: list[int], from_key: bytes, conditions: str, parameters: dict[str, Any]
) -> RecordBatch | None:
    [tenant_key] = tenant_keys
    statement = text(_OF_TENANT.format(conditions=conditions))
    rows = connection.execute(statement, {**parameters, "tenant_key": tenant_key, "from_key": from_key}).all()
    if not rows:
        return None
    *numbers, _, event_ids = zip(*rows, strict=True)
    columns = (np.array(values, dtype=np.int64) for values in numbers)
    return RecordBatch(dict(zip(_NUMBERS, columns, strict=True)), list(event_ids), rows[-1].event_key)
