"""What a record amounts to by now: as it was recorded, with the entries that have corrected it since."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sqlalchemy import Connection, text

from rice_stream.quantities import ENTRY_AMOUNTS, UNKNOWN
from rice_stream.store.archive.finding import archived_record
from rice_stream.store.entries import ENTRY_COLUMNS, Entries
from rice_stream.store.event_key_columns import RecordKey, stored_key
from rice_stream.store.record_measures import of_record

_KEYS = ", ".join(ENTRY_COLUMNS)


def amounts_by_now(connection: Connection, key: RecordKey) -> Entries | None:
    """What the record and its entries add up to, by who they are of and what they rest on, without what amounts to nothing.

    None: there is no such record, in the database or in the archive. Empty: it was voided.

    DamagedArchiveError: a file is not what was written.
    """
    found = _by_now(connection, key, "prompt_record r", {})
    if found is None and (archived := archived_record(connection, key)) is not None:
        found = _by_now(connection, key, *archived.relation(connection.dialect.name))
    return found


def _by_now(connection: Connection, key: RecordKey, records: str, parameters: Mapping[str, Any]) -> Entries | None:
    """The same of a record among the rows `r` of `records`."""
    recorded = ", ".join(f"{of_record(name)} AS {name}" for name in ENTRY_AMOUNTS)
    corrected = ", ".join(f"r.{name}" for name in ENTRY_AMOUNTS)
    sums = ", ".join(f"CAST(SUM(m.{name}) AS BIGINT) AS {name}" for name in ENTRY_AMOUNTS)
    keys = ", ".join(f"r.{name}" for name in ENTRY_COLUMNS)
    is_it = "r.tenant_key = :tenant_key AND r.event_key = :event_key"
    statement = (
        f"SELECT {_KEYS}, {sums}, MAX(m.recorded) AS recorded FROM ("
        f"SELECT {keys}, {recorded}, 1 AS recorded FROM {records} WHERE {is_it}"
        f" UNION ALL SELECT {keys}, {corrected}, 0 FROM adjustment_entry r WHERE {is_it} AND r.counted = 1"
        f") m GROUP BY {_KEYS} ORDER BY {_KEYS}"
    )
    rows = connection.execute(text(statement), {**parameters, **_parameters(connection, key)}).mappings().all()
    if not any(row["recorded"] for row in rows):
        return None
    columns = {
        name: np.array([UNKNOWN if row[name] is None else row[name] for row in rows], dtype=np.int64)
        for name in ENTRY_COLUMNS
    }
    amounts = np.array([[row[name] for name in ENTRY_AMOUNTS] for row in rows], dtype=np.int64)
    event_keys = np.tile(np.frombuffer(key.event_key, dtype=np.uint8), (len(rows), 1))
    return Entries(event_keys, columns, amounts.reshape(-1, len(ENTRY_AMOUNTS))).without_nothing()


def _parameters(connection: Connection, key: RecordKey) -> dict[str, Any]:
    return {"tenant_key": key.tenant_key, "event_key": stored_key(connection.dialect.name, key.event_key)}
