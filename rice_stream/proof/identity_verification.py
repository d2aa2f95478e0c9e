"""`rice-stream audit verify`, of whose events records are: whether each carries the key of its own tenant, source, id and time."""

from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from rice_stream.events.keys import KEY_BYTES, day_start_us, event_keys, key_hasher, keys_at
from rice_stream.instants import rfc3339
from rice_stream.proof.audit_verification import VerifiedTrail
from rice_stream.store.engine import Engine
from rice_stream.store.erased_names import is_stand_in
from rice_stream.store.event_key_columns import key_bytes
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.snapshot import snapshot
from rice_stream.store.stored_records import tenant_keys

_ROWS = 10_000
_RECORDS = "SELECT tenant_key, attribution_key, event_key, event_id, ended_at_us FROM prompt_record"
_SOURCES = "SELECT tenant_key, attribution_key, source FROM attribution"


class _Whose(NamedTuple):
    """The tenant and the source of an event."""

    tenant_id: str
    source: str


def verify_identities(engine: Engine, found: VerifiedTrail) -> None:
    """Add the records whose id, source, tenant or time is another one than that of the event that was recorded: keys are made of
    all four, and trees of months and entries have the keys.

    Of names that were erased nothing can be told. One record after the other is read. StoreUnavailableError: as from a report.
    """
    with snapshot(engine, EVERYTHING) as connection:
        whose = _known(connection)
        hasher = cache(lambda tenant_key, key: _hasher(whose.get((tenant_key, key))))
        streamed = connection.execution_options(yield_per=_ROWS).execute(text(_RECORDS))
        for rows in streamed.partitions():
            for row in _others([row for row in rows if hasher(*row[:2]) is not None], hasher):
                of = whose[row.tenant_key, row.attribution_key]
                found.problem(
                    f"record of {row.event_id} ({of.tenant_id}, {rfc3339(row.ended_at_us)}): its key is that of another id, source,"
                    " tenant or time; it was changed"
                )


def _known(connection: Connection) -> Mapping[tuple[int, int], _Whose]:
    names = {key: name for name, key in tenant_keys(connection).items()}
    return {
        (tenant_key, key): _Whose(names[tenant_key], source)
        for tenant_key, key, source in connection.execute(text(_SOURCES))
        if tenant_key in names
    }


def _hasher(whose: _Whose | None) -> blake2b | None:
    return None if whose is None or any(map(is_stand_in, whose)) else key_hasher(*whose)


def _others(rows: list[Any], hasher: Any) -> Iterator[Any]:
    if not rows:
        return
    stored = np.frombuffer(b"".join(key_bytes(row.event_key) for row in rows), dtype=np.uint8).reshape(-1, KEY_BYTES)
    ended_at_us = np.array([row.ended_at_us for row in rows], dtype=np.int64)
    of_time = event_keys(ended_at_us, (hasher(*row[:2]) for row in rows), (row.event_id.encode() for row in rows))
    # The second is that of an event without a time of its own.
    same = _equal(of_time, stored) | _equal(keys_at(of_time, day_start_us(ended_at_us)), stored)
    yield from (rows[place] for place in np.flatnonzero(~same))


def _equal(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = (a == b).all(axis=1)
    return same
