"""The keys of archived records, which files leave out where they follow from the rest."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.keys import event_keys, key_hasher, key_times_us, keys_at, times_of_keys_us
from rice_stream.quantities import Ints


def derived_keys(
    tenant_id: str, sources: Sequence[str], ids: Sequence[bytes], ended_at_us: Ints, untimed: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Shape (n, 16): the keys of events of a tenant, each of its source, id (UTF-8) and time."""
    if not len(ids):
        return np.zeros((0, 16), dtype=np.uint8)
    hashers = {source: key_hasher(tenant_id, source) for source in set(sources)}
    return event_keys(key_times_us(ended_at_us, untimed), map(hashers.__getitem__, sources), ids)


def left_out(
    tenant_id: str, sources: Sequence[str], ids: Sequence[bytes], ended_at_us: Ints, keys: NDArray[np.uint8]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the events have no time of their own, by their keys, and the keys of which follow from the rest."""
    own = derived_keys(tenant_id, sources, ids, ended_at_us, np.zeros(len(ids), dtype=np.bool_))
    untimed = times_of_keys_us(keys) != times_of_keys_us(own)
    expected = keys_at(own, key_times_us(ended_at_us, untimed)) if untimed.any() else own
    follows: NDArray[np.bool_] = (expected == keys).all(axis=1)
    return untimed, follows
