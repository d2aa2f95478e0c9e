"""Names seen so far (tenants, teams, users ...) as the small integers that the store keeps."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from rice_stream.estimator.types import Ints
from rice_stream.event_keys import key_hasher
from rice_stream.ingest import UNKNOWN, EventColumns
from rice_stream.ingest.columns import Attribution
from rice_stream.store import Dimensions

PRINCIPALS_MAX = 500_000
ATTRIBUTIONS_MAX = 200_000
"""Names kept at hand; past that a table starts anew and looks names up again."""


class ResolvedNames(NamedTuple):
    """Key columns of n events, shape (n,); UNKNOWN (-1) where an event has no user or API key."""

    tenant_key: Ints
    attribution_key: Ints
    user_key: Ints
    api_key_key: Ints
    key_hashers: Iterator[blake2b]
    """What each event's key begins with: its tenant and source."""


class NameTable:
    """Caches keys for the life of a worker; what it has not seen it asks the store for, a batch at a time."""

    def __init__(self, dimensions: Dimensions) -> None:
        self._dimensions = dimensions
        self._clear_attributions()
        self._principals: dict[str, dict[tuple[int, str | None], int]] = {"user": {}, "api_key": {}}

    def _clear_attributions(self) -> None:
        self._index: dict[Attribution, int] = {}
        self._tenant_keys: Ints = np.empty(0, dtype=np.int64)
        self._attribution_keys: Ints = np.empty(0, dtype=np.int64)
        self._hashers: list[blake2b] = []

    def resolve(self, events: EventColumns) -> ResolvedNames:
        """Keys of all names of the events; unseen names are given keys."""
        if len(self._index) > ATTRIBUTIONS_MAX:
            self._clear_attributions()
        n = len(events)
        try:
            index = np.fromiter(map(self._index.__getitem__, zip(*events.attributed, strict=True)), np.intp, count=n)
        except KeyError:
            self._add([a for a in dict.fromkeys(events.attribution) if a not in self._index])
            return self.resolve(events)
        tenant_key = self._tenant_keys[index]
        return ResolvedNames(
            tenant_key=tenant_key,
            attribution_key=self._attribution_keys[index],
            user_key=self._principal_keys("user", tenant_key, events.user_id),
            api_key_key=self._principal_keys("api_key", tenant_key, events.api_key_id),
            key_hashers=map(self._hashers.__getitem__, index.tolist()),
        )

    def _add(self, attributions: list[Attribution]) -> None:
        tenants = self._dimensions.tenants(sorted({a[0] for a in attributions}))
        identities = [
            (tenants[t], team or "", project or "", source or "") for t, team, project, source in attributions
        ]
        keys = self._dimensions.attributions(identities)
        self._index.update(
            zip(attributions, range(len(self._hashers), len(self._hashers) + len(attributions)), strict=True)
        )
        self._tenant_keys = np.append(self._tenant_keys, [identity[0] for identity in identities])
        self._attribution_keys = np.append(self._attribution_keys, [keys[identity] for identity in identities])
        self._hashers += [key_hasher(a[0], a[3]) for a in attributions]

    def _principal_keys(self, kind: str, tenant_key: Ints, names: Sequence[str | None]) -> Ints:
        n = len(names)
        if not any(names):
            return np.full(n, UNKNOWN, dtype=np.int64)
        known = self._principals[kind]
        if len(known) > PRINCIPALS_MAX:
            known.clear()
        tenants = tenant_key.tolist()
        try:
            return np.fromiter(map(known.__getitem__, zip(tenants, names, strict=True)), np.int64, count=n)
        except KeyError:
            missing = {pair for pair in zip(tenants, names, strict=True) if pair not in known}
        known.update({(tenant, name): UNKNOWN for tenant, name in missing if not name})
        named = sorted((tenant, name) for tenant, name in missing if name)
        known.update({(tenant, name): key for (tenant, name), key in self._dimensions.principals(kind, named).items()})
        return np.fromiter(map(known.__getitem__, zip(tenants, names, strict=True)), np.int64, count=n)
