"""The key under which an event is stored: the same however often and by whomever it is sent."""

from collections.abc import Iterable
from hashlib import blake2b
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from rice_stream.instants import DAY_US

KEY_BYTES = 16
_TIME_BYTES = 6
_DIGEST_BYTES = KEY_BYTES - _TIME_BYTES
_HASHERS = 256
"""Copies of a hasher at a time; each has some hundred bytes."""


def key_prefix(tenant_id: str, source: str | None) -> bytes:
    """Tenant and source, each behind its length: ("a-b", "c") and ("a", "b-c") never meet."""
    parts = (tenant_id.encode(), (source or "").encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def key_hasher(tenant_id: str, source: str | None) -> blake2b:
    """BLAKE2b after the prefix that all events of a tenant and source share; copies of it go on with the event's id."""
    return blake2b(key_prefix(tenant_id, source), digest_size=_DIGEST_BYTES)


def event_key(tenant_id: str, source: str | None, event_id: str, ended_at_us: int) -> bytes:
    """The key of one event."""
    return event_keys(np.array([ended_at_us]), [key_hasher(tenant_id, source)], [event_id.encode()]).tobytes()


def key_times_us(ended_at_us: NDArray[np.int64], untimed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The times that keys begin with: the event's own; the start of its day (UTC) where the event has none.

    What Kafka says of an event without a time differs from one delivery to the next, so it is not part of who the event is.
    """
    return np.where(untimed, day_start_us(ended_at_us), ended_at_us) if untimed.any() else ended_at_us


def day_start_us(times_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """The starts of the days (UTC) that these instants lie in."""
    return times_us - times_us % DAY_US


def event_keys(times_us: NDArray[np.int64], hashers: Iterable[blake2b], ids: Iterable[bytes]) -> NDArray[np.uint8]:
    """(n, 16) bytes: 48 bits of event time in ms, then 80 bits of BLAKE2b over (tenant, source, event_id).

    `times_us` are the events' `key_times_us`, `hashers` their `key_hasher`, `ids` their event_id in UTF-8. Keys are
    ordered in time, so that indexes and partitions stay local.
    """
    n = len(times_us)
    of_ids, of_hashers = iter(ids), iter(hashers)
    parts: list[bytes] = []
    # Copying a hasher is half the price of making one, as long as the copies fit into the cache.
    while some := list(islice(of_ids, _HASHERS)):
        digesting = list(map(blake2b.copy, islice(of_hashers, len(some))))
        for hasher, event_id in zip(digesting, some, strict=True):
            hasher.update(event_id)
        parts += map(blake2b.digest, digesting)
    digests = b"".join(parts)
    keys = np.empty((n, KEY_BYTES), dtype=np.uint8)
    keys[:, :_TIME_BYTES] = _time_bytes(times_us)
    keys[:, _TIME_BYTES:] = np.frombuffer(digests, dtype=np.uint8).reshape(n, _DIGEST_BYTES)
    return keys


def keys_at(keys: NDArray[np.uint8], times_us: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The keys that the same tenants, sources and ids have at other times; shapes (n, 16) and (n,)."""
    moved = keys.copy()
    moved[:, :_TIME_BYTES] = _time_bytes(times_us)
    return moved


def times_of_keys_us(keys: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The times that keys begin with, to the millisecond."""
    wide = np.zeros((len(keys), 8), dtype=np.uint8)
    wide[:, 2:] = keys[:, :_TIME_BYTES]
    return wide.view(">u8").ravel().astype(np.int64) * 1000


def digest_of_key(key: bytes) -> bytes:
    """What a key holds besides its time: equal for equal tenant, source and id."""
    return key[_TIME_BYTES:]


def digests_of_keys(keys: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """(first 16 bits, last 64 bits) of `digest_of_key` of each."""
    first = np.ascontiguousarray(keys[:, _TIME_BYTES : KEY_BYTES - 8]).view(">u2").ravel()
    last = np.ascontiguousarray(keys[:, KEY_BYTES - 8 :]).view(">u8").ravel()
    return first.astype(np.uint64), last.astype(np.uint64)


def _time_bytes(times_us: NDArray[np.int64]) -> NDArray[np.uint8]:
    milliseconds = (times_us // 1000).astype(">u8")
    return milliseconds.view(np.uint8).reshape(len(times_us), 8)[:, 2:]
