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

from rice_stream.quantities import UNKNOWN
from rice_stream.store.archive.columns import (
    EVENT_ID,
    FACTORS,
    FIRST_KEY,
    IS_UNTIMED,
    KEY,
    LAST_KEYS,
    MONTH,
    NUMBERS,
    OF_ATTRIBUTION,
    OF_FACTORS,
    ROW_GROUP_ROWS,
    SCHEMA,
    TENANT,
    WRITING,
)
from rice_stream.store.archive.month_rows import RecordRows
from rice_stream.store.archive.record_keys import left_out

_DIGESTED_AT_ONCE = 1 << 20


class MonthNames:
    """The names behind the keys of a tenant's records, each looked up once."""

    def __init__(self, tenant_id: str, month: str, attributions: Mapping[int, Mapping[str, Any]]) -> None:
        """`attributions`: rows of `attribution` by their key."""
        self.tenant_id = tenant_id
        self.month = month
        self.attributions = attributions
        self.factors: dict[int, Mapping[str, Any]] = {}
        """Rows of `factor_use` by their key; whoever reads records adds those that they name."""

    def sources(self, attribution_keys: Iterable[int]) -> list[str]:
        """The source of each."""
        return [str(self.attributions[key]["source"]) for key in attribution_keys]


def write_part(path: Path, groups: Iterable[RecordRows], names: MonthNames) -> None:
    """A file of groups of rows (at least one), each written as it comes; what was begun before and not finished is begun again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.with_name(f".{path.name}.begun")
    keys: list[bytes] = []
    used: set[int] = set()
    with begun.open("wb") as sink:
        with pq.ParquetWriter(sink, SCHEMA, **WRITING) as writer:
            for rows in groups:
                writer.write_table(_table(rows, names), row_group_size=ROW_GROUP_ROWS)
                keys += [] if keys else [rows.event_keys[0].tobytes()]
                keys.append(rows.event_keys[-1].tobytes())
                used |= set(np.unique(rows.numbers["factor_key"]).tolist())
            writer.add_key_value_metadata(_told(names, used, keys[0], keys[1:]))
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


def _told(names: MonthNames, used: set[int], first: bytes, last: Sequence[bytes]) -> dict[str, str]:
    uses = [
        {name: value.hex() if isinstance(value, bytes) else value for name, value in names.factors[key].items()}
        for key in sorted(used)
    ]
    return {
        FACTORS: json.dumps(uses, sort_keys=True),
        FIRST_KEY: first.hex(),
        LAST_KEYS: json.dumps([key.hex() for key in last]),
    }


def _table(rows: RecordRows, names: MonthNames) -> Any:
    n = len(rows)
    attribution, factors = rows.numbers["attribution_key"], rows.numbers["factor_key"]
    ids = [event_id.encode() for event_id in rows.event_ids]
    sources = names.sources(attribution.tolist())
    untimed, follows = left_out(names.tenant_id, sources, ids, rows.numbers["ended_at_us"], rows.event_keys)
    keys = [None if same else key.tobytes() for same, key in zip(follows.tolist(), rows.event_keys, strict=True)]
    columns: dict[str, Any] = {
        TENANT: pa.array([names.tenant_id] * n),
        MONTH: pa.array([names.month] * n),
        **{name: _named(names.attributions, attribution, name) for name in OF_ATTRIBUTION},
        **{name: _named(names.factors, factors, name) for name in OF_FACTORS},
        EVENT_ID: pa.array(rows.event_ids, type=pa.string()),
        IS_UNTIMED: pa.array(untimed),
        KEY: pa.array(keys, type=pa.binary(16)),
    }
    for each in NUMBERS.values():
        values = rows.numbers[each.name]
        numbers = pa.array(values, mask=values == UNKNOWN if each.is_nullable else None)
        columns[each.in_file] = numbers.cast(each.type)
    return pa.Table.from_arrays([columns[field.name] for field in SCHEMA], schema=SCHEMA)


def _named(known: Mapping[int, Mapping[str, Any]], keys: Any, name: str) -> Any:
    """A name of each row; none where it is empty, as in the views."""
    present, places = np.unique(keys, return_inverse=True)
    words = [known[key][name] for key in present.tolist()]
    nullable = SCHEMA.field(name).nullable
    return pa.array([None if nullable and not word else word for word in words], type=pa.string()).take(
        pa.array(places)
    )
