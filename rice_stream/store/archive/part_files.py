"""Writing one file of the archive: complete under its name, or not there; the same rows give the same bytes."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rice_stream.quantities import UNKNOWN, Ints
from rice_stream.store.archive.columns import (
    EVENT_ID,
    FACTORS,
    FIRST_KEY,
    KEY,
    LAST_KEYS,
    MONTH,
    NUMBERS,
    OF_FACTORS,
    ROW_GROUP_ROWS,
    SCHEMA,
    WRITING,
)
from rice_stream.store.archive.month_rows import RecordRows

_DIGESTED_AT_ONCE = 1 << 20

Uses = Mapping[int, Mapping[str, Any]]


def write_part(path: Path, month: str, groups: Iterable[RecordRows], factors: Uses) -> None:
    """A file of groups of rows of a month (at least one), each written as it comes; what was begun before and not finished is begun
    again. `factors`: the rows of `factor_use` that they name, by their key; looked into when a group has come."""
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.with_name(f".{path.name}.begun")
    keys: list[bytes] = []
    used: set[int] = set()
    with begun.open("wb") as sink:
        with pq.ParquetWriter(sink, SCHEMA, **WRITING) as writer:
            for rows in groups:
                writer.write_table(_table(rows, month, factors), row_group_size=ROW_GROUP_ROWS)
                keys += [] if keys else [rows.event_keys[0].tobytes()]
                keys.append(rows.event_keys[-1].tobytes())
                used |= set(np.unique(rows.numbers["factor_key"]).tolist())
            writer.add_key_value_metadata(_told(factors, used, keys[0], keys[1:]))
        sink.flush()
        os.fsync(sink.fileno())
    begun.replace(path)
    _keep_name(path.parent)


def digest_of(path: Path) -> bytes:
    """SHA-256 of a file."""
    digest = sha256()
    with path.open("rb") as source:
        while piece := source.read(_DIGESTED_AT_ONCE):
            digest.update(piece)
    return digest.digest()


def _keep_name(folder: Path) -> None:
    """Until the folder is written, a power cut may take the name of a file whose bytes are."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _told(factors: Uses, used: set[int], first: bytes, last: Sequence[bytes]) -> dict[str, str]:
    uses = [
        {name: value.hex() if isinstance(value, bytes) else value for name, value in factors[key].items()}
        for key in sorted(used)
    ]
    return {
        FACTORS: json.dumps(uses, sort_keys=True),
        FIRST_KEY: first.hex(),
        LAST_KEYS: json.dumps([key.hex() for key in last]),
    }


def _table(rows: RecordRows, month: str, factors: Uses) -> Any:
    n = len(rows)
    keys = pa.py_buffer(np.ascontiguousarray(rows.event_keys).tobytes())
    columns: dict[str, Any] = {
        MONTH: pa.array([month] * n),
        **{name: _named(factors, rows.numbers["factor_key"], name) for name in OF_FACTORS},
        EVENT_ID: pa.array(list(rows.event_ids), type=pa.string()),
        KEY: pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), n, [None, keys]),
    }
    for each in NUMBERS.values():
        values = rows.numbers[each.name]
        numbers = pa.array(values, mask=values == UNKNOWN if each.is_nullable else None)
        columns[each.in_file] = numbers.cast(each.type)
    return pa.Table.from_arrays([columns[field.name] for field in SCHEMA], schema=SCHEMA)


def _named(factors: Uses, keys: Ints, name: str) -> Any:
    present, places = np.unique(keys, return_inverse=True)
    return pa.array([factors[key][name] for key in present.tolist()], type=pa.string()).take(pa.array(places))
