"""Records of prompts as an Arrow table: what a database has under keys is here by its names.

A row stands for itself wherever it is read: it brings the factors that it rests on, as the row of `factor_use`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from rice_stream.pipeline.keys_at_hand import KeysAtHand
from rice_stream.quantities import AMOUNT_COLUMNS, UNKNOWN, Ints
from rice_stream.store.batch import Records
from rice_stream.store.record_columns import METERED_COLUMN, NULLABLE_COLUMNS, NUMBER_COLUMNS, SOMETIMES_COLUMNS

OF_ATTRIBUTION = ("team_id", "project_id", "source", "cost_centre")
OF_PRINCIPALS = {"user_id": "user_key", "api_key_id": "api_key_key"}
_NULLABLE_NUMBERS = tuple(
    name for name in (*NULLABLE_COLUMNS, *SOMETIMES_COLUMNS) if name not in OF_PRINCIPALS.values()
)
NUMBERS = tuple(dict.fromkeys((*NUMBER_COLUMNS, *AMOUNT_COLUMNS, *_NULLABLE_NUMBERS)))
"""Columns of whole numbers, as `prompt_record` has them; null where nothing is known."""
KEY = ("tenant_id", "event_key")
"""What a record is known by."""
FACTORS = "factors"

RECORDS = pa.schema(
    [
        pa.field("tenant_id", pa.string(), nullable=False),
        pa.field("event_key", pa.binary(), nullable=False),
        pa.field("event_id", pa.string(), nullable=False),
        *(pa.field(name, pa.string(), nullable=False) for name in OF_ATTRIBUTION),
        *(pa.field(name, pa.string()) for name in OF_PRINCIPALS),
        pa.field("model", pa.string(), nullable=False),
        *(pa.field(name, pa.int64(), nullable=name in _NULLABLE_NUMBERS) for name in NUMBERS),
        pa.field("basis_flags", pa.int64(), nullable=False),
        pa.field(FACTORS, pa.string(), nullable=False),
    ]
)
"""Empty text stands for no team, project, source or cost centre, as in the database."""


def record_table(records: Records, keys: KeysAtHand) -> pa.Table:
    """The records, with the names behind their keys."""
    columns = records.columns
    attributions = keys.attribution_identities
    found: dict[str, Any] = {
        "tenant_id": _named(keys.tenant_names, columns["tenant_key"]),
        "event_key": [key.tobytes() for key in records.event_keys],
        "event_id": list(map(bytes.decode, records.event_ids)),
        "model": _named([row["model_resolved"] for row in keys.factor_rows], columns["factor_key"]),
        FACTORS: _named(list(map(factors_text, keys.factor_rows)), columns["factor_key"]),
        "basis_flags": columns["basis_flags"],
    }
    for name in OF_ATTRIBUTION:
        found[name] = _named([getattr(each, name) for each in attributions], columns["attribution_key"])
    for name, key in OF_PRINCIPALS.items():
        found[name] = _named([*keys.principal_names, None], columns[key])  # UNKNOWN, -1, is the last
    for name in NUMBERS:
        found[name] = numbers(columns.get(name, np.full(len(records), UNKNOWN)), is_nullable=name in _NULLABLE_NUMBERS)
    return pa.table({name: pa.array(found[name], RECORDS.field(name).type) for name in RECORDS.names}, schema=RECORDS)


def numbers(values: Ints, *, is_nullable: bool = True) -> pa.Array:
    """A column of the table; UNKNOWN (-1) is null where it may be."""
    return pa.array(values, pa.int64(), mask=(values == UNKNOWN) if is_nullable else None)


def integers(table: pa.Table, name: str) -> Ints:
    """A column as numbers, shape (n,), UNKNOWN (-1) for null."""
    column: Ints = table.column(name).fill_null(UNKNOWN).to_numpy().astype(np.int64)
    return column


def metered_or_none(table: pa.Table) -> Ints | None:
    """What was metered of the records; None where nothing was of any."""
    column = table.column(METERED_COLUMN)
    return None if column.null_count == len(column) else integers(table, METERED_COLUMN)


def factor_row(text: str) -> dict[str, Any]:
    """The row of `factor_use`, without its key and digest."""
    row: dict[str, Any] = json.loads(text)
    return row


def factors_text(row: Mapping[str, Any]) -> str:
    """A row of `factor_use` as text that is equal exactly when every factor is."""
    return json.dumps({name: value for name, value in row.items() if name != "digest"}, sort_keys=True)


def _named(names: Sequence[Any], keys: Ints) -> list[Any]:
    return [names[key] for key in keys.tolist()]
