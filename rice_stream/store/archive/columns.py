"""The columns of a file of the archive: those of `prompt_record`, and for whoever has no ledger the names of what is no tenant's.

Tenants, teams, users and whatever else a tenant names are keys alone: their names stay in the ledger, where they can be erased.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import BigInteger

# Read by pyarrow when it is loaded: its own allocator keeps what is given back.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

import pyarrow as pa

from rice_stream.store.schema_records import prompt_record

KEY, EVENT_ID = "event_key", "event_id"
TENANT, MONTH = "tenant_key", "month"
"""What the table is partitioned by."""
_INSTANTS = {"ended_at_us": "ended_at", "recorded_us": "recorded_at"}
ROW_GROUP_ROWS = 20_000
"""Records that are read at once: what goes through a month reads each group once, and who looks for one record reads one."""
FILE_ROWS = 1_000_000


class NumberColumn(NamedTuple):
    """A column of whole numbers of `prompt_record`, and what it is called in a file."""

    name: str
    in_file: str
    is_nullable: bool
    type: Any


def _number(column: Any) -> NumberColumn:
    kind = pa.int64() if isinstance(column.type, BigInteger) else pa.int32()
    if column.name in _INSTANTS:
        kind = pa.timestamp("us", tz="UTC")
    return NumberColumn(column.name, _INSTANTS.get(column.name, column.name), bool(column.nullable), kind)


NUMBERS = {column.name: _number(column) for column in prompt_record.c if column.name not in (KEY, EVENT_ID)}
"""By their name in `prompt_record`, in its order."""

OF_FACTORS = ("provider", "model", "region_resolved", "method_version", "factor_version")
NAMES = (MONTH, *OF_FACTORS)
"""Texts of which few differ."""

SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in NAMES),
        pa.field(KEY, pa.binary(16), nullable=False),
        pa.field(EVENT_ID, pa.string(), nullable=False),
        *(pa.field(each.in_file, each.type, nullable=each.is_nullable) for each in NUMBERS.values()),
    ]
)

_SMALL = ("tenant_key", "attribution_key", "factor_key", "basis_flags", "user_key", "api_key_key", "recorded_us")
"""Numbers that repeat."""
WRITING: Mapping[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": [*NAMES, *(NUMBERS[name].in_file for name in _SMALL)],
    "column_encoding": {
        each.in_file: "DELTA_BINARY_PACKED" if each.name == "ended_at_us" else "BYTE_STREAM_SPLIT"
        for each in NUMBERS.values()
        if each.name not in _SMALL
    }
    | {KEY: "BYTE_STREAM_SPLIT", EVENT_ID: "DELTA_LENGTH_BYTE_ARRAY"},
    "store_schema": False,
    "write_page_checksum": True,
}
"""How files are written: small, and a byte that is damaged in a page is noticed when it is read."""
FACTORS, FIRST_KEY, LAST_KEYS = "rice.factors", "rice.first_key", "rice.last_keys"
"""What a file says besides its rows: the uses of factors that they name, as JSON with their digests, its first key, and the last
key of each group of rows."""
