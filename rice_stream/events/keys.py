"""The key under which an event is stored: the same however often and by whomever it is sent."""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

KEY_BYTES = 16
_TIME_BYTES = 6
_DIGEST_BYTES = KEY_BYTES - _TIME_BYTES


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


def event_keys(ended_at_us: NDArray[np.int64], hashers: Iterable[blake2b], ids: Iterable[bytes]) -> NDArray[np.uint8]:
    """(n, 16) bytes: 48 bits of event time in ms, then 80 bits of BLAKE2b over (tenant, source, event_id).

    `hashers` are `key_hasher` of each event, `ids` its event_id in UTF-8. Keys are ordered in time, so that indexes and
    partitions stay local.
    """
    n = len(ended_at_us)
    # Copying a hasher is half the price of making one.
    digesting = list(map(blake2b.copy, hashers))
    for hasher, event_id in zip(digesting, ids, strict=True):
        hasher.update(event_id)
    digests = b"".join(map(blake2b.digest, digesting))
    keys = np.empty((n, KEY_BYTES), dtype=np.uint8)
    milliseconds = (ended_at_us // 1000).astype(">u8")
    keys[:, :_TIME_BYTES] = milliseconds.view(np.uint8).reshape(n, 8)[:, 2:]
    keys[:, _TIME_BYTES:] = np.frombuffer(digests, dtype=np.uint8).reshape(n, _DIGEST_BYTES)
    return keys
