"""Finding records in the archive by the ids of their events, and handing them to statements as if they were in the table."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, Connection, text

from rice_stream.instants import DAY_US
from rice_stream.quantities import UNKNOWN
from rice_stream.store.archive.kept import ArchivedFile, dropped_files
from rice_stream.store.archive.month_rows import RecordRows
from rice_stream.store.archive.opening import open_rows, rows_of_id
from rice_stream.store.event_key_columns import RecordKey
from rice_stream.store.horizon import records_from_us
from rice_stream.store.schema_records import prompt_record
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_id_in

_ALWAYS_US = 1 << 62
_NUMBERS = [column for column in prompt_record.c if column.name not in ("event_key", "event_id")]


class ArchivedRecord(NamedTuple):
    """A record that is in the archive alone: its values by column, None for null; the key as bytes."""

    values: dict[str, Any]

    def relation(self, dialect: str) -> tuple[str, dict[str, Any]]:
        """SQL for a table `r` of this one row, and its parameters."""
        if dialect == "postgresql":
            kinds = {c.name: "bigint" if isinstance(c.type, BigInteger) else "int" for c in _NUMBERS}
            kinds |= {"event_key": "uuid", "event_id": "text"}
            selected = [f"CAST(:archived_{name} AS {kind}) AS {name}" for name, kind in kinds.items()]
        else:
            selected = [f":archived_{name} AS {name}" for name in self.values]
        key = self.values["event_key"]
        values = self.values | {"event_key": UUID(bytes=key) if dialect == "postgresql" else key}
        return f"(SELECT {', '.join(selected)}) r", {f"archived_{name}": value for name, value in values.items()}


def archived_records(
    connection: Connection, scope: Scope, event_id: str, ended_at_us: int | None = None
) -> list[ArchivedRecord]:
    """The records of an id that retention has dropped and the archive holds, of the tenants of a scope; whose team may see each is
    for who asks.

    All ids of these tenants in the archive are looked through, of one instant those of its month alone. DamagedArchiveError: a file
    is not what was written.
    """
    horizon_us = records_from_us(connection)
    if not horizon_us or (ended_at_us is not None and ended_at_us >= horizon_us):
        return []
    low_us, high_us = (-_ALWAYS_US, _ALWAYS_US) if ended_at_us is None else (ended_at_us, ended_at_us + 1)
    asked = text(f"SELECT t.tenant_key FROM tenant t WHERE {tenant_id_in(scope)} ORDER BY t.tenant_id")
    found: list[ArchivedRecord] = []
    for tenant_key in connection.scalars(asked, scope_parameters(scope)).all():
        for file in dropped_files(connection, tenant_key, low_us, high_us):
            if ended_at_us is None or _may_hold(file, ended_at_us):
                found += _of_file(file, event_id)
    wanted = range(-_ALWAYS_US, horizon_us) if ended_at_us is None else (ended_at_us,)
    return [record for record in found if record.values["ended_at_us"] in wanted]


def archived_record(connection: Connection, key: RecordKey) -> ArchivedRecord | None:
    """The record of a key that retention has dropped and the archive holds. DamagedArchiveError: a file is not what was written."""
    from_us = int.from_bytes(key.event_key[:6], "big") * 1000
    # An event without a time of its own has the key of the beginning of its day.
    for file in dropped_files(connection, key.tenant_key, from_us, from_us + DAY_US):
        if file.first_key <= key.event_key <= file.last_key:
            rows = open_rows([file], with_ids=True).after(key.event_key, 1, includes=True)
            if rows is not None and rows.event_keys[0].tobytes() == key.event_key:
                [record] = _records(rows)
                return record
    return None


def _may_hold(file: ArchivedFile, ended_at_us: int) -> bool:
    """Whether a key of an event that ended then, or of one without a time of its own, may be among those of the file."""
    first_ms, last_ms = (int.from_bytes(key[:6], "big") for key in (file.first_key, file.last_key))
    return any(first_ms <= time_us // 1000 <= last_ms for time_us in (ended_at_us, ended_at_us - ended_at_us % DAY_US))


def _of_file(file: ArchivedFile, event_id: str) -> list[ArchivedRecord]:
    return [record for rows in rows_of_id(file, event_id) for record in _records(rows)]


def _records(rows: RecordRows) -> Sequence[ArchivedRecord]:
    found = []
    for place, event_id in enumerate(rows.event_ids):
        numbers = {column.name: int(rows.numbers[column.name][place]) for column in _NUMBERS}
        nulls = {c.name for c in _NUMBERS if c.nullable and numbers[c.name] == UNKNOWN}
        values: dict[str, Any] = {name: None if name in nulls else value for name, value in numbers.items()}
        found.append(ArchivedRecord({**values, "event_key": rows.event_keys[place].tobytes(), "event_id": event_id}))
    return found
