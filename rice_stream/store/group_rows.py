"""Groups of entries and their lines as rows, the way each database takes them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert

from rice_stream.canonical_json import canonical_json
from rice_stream.quantities import ENTRY_AMOUNTS
from rice_stream.store import schema
from rice_stream.store.entries import ENTRY_COLUMNS, EntryGroup
from rice_stream.store.entry_stream import EntryStream, sent_columns
from rice_stream.store.event_key_columns import column_key
from rice_stream.store.probe import nullable


def group_row(group: EntryGroup, dialect: str, now_us: int) -> dict[str, Any]:
    """The row of `adjustment`."""
    return {
        "digest": group.digest,
        "cause": group.cause,
        "tenant_key": group.tenant_key,
        "event_key": None if group.event_key is None else column_key(dialect, group.event_key),
        "restatement_id": group.restatement_id,
        "reason": group.reason,
        "author_kind": group.by.kind,
        "author_name": group.by.name,
        "detail": canonical_json(group.detail).decode(),
        "recorded_us": now_us,
        **{f"contra_{name}": -amount for name, amount in group.sums.items()},
    }


def copy_entries(cursor: Any, keys: Sequence[int], stream: EntryStream, now_us: int) -> None:
    """Write the lines of groups that are posted under these keys, on PostgreSQL through a cursor of its driver."""
    columns = ", ".join(sent_columns())
    with cursor.copy(f"COPY adjustment_entry ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
        for part in stream.finished(keys, now_us):
            copy.write(part)


def insert_entries(connection: Connection, key: int, group: EntryGroup, now_us: int) -> None:
    """Write the lines on SQLite."""
    entries = group.entries
    flat = entries.event_keys.tobytes()
    constant = {"adjustment_key": key, "counted": int(group.counted), "recorded_us": now_us}
    columns_of: dict[str, Sequence[Any]] = {name: entries.columns[name].tolist() for name in ENTRY_COLUMNS}
    columns_of["user_key"] = nullable(entries.columns["user_key"])
    columns_of |= {name: entries.amounts[:, place].tolist() for place, name in enumerate(ENTRY_AMOUNTS)}
    columns_of["event_key"] = [flat[at : at + 16] for at in range(0, len(flat), 16)]
    columns_of["line"] = range(len(entries))
    rows = [dict(zip(columns_of, values, strict=True)) for values in zip(*columns_of.values(), strict=True)]
    connection.execute(insert(schema.adjustment_entry), [{**row, **constant} for row in rows])
