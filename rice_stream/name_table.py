"""Names seen so far (tenants, teams, users ...) as the small integers that the store keeps."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.estimator.types import Ints
from rice_stream.ingest import UNKNOWN, EventColumns
from rice_stream.ingest.columns import Attribution
from rice_stream.store import Dimensions

PRINCIPALS_MAX = 500_000
ATTRIBUTIONS_MAX = 200_000
"""Names kept at hand; past that a table starts anew and looks names up again."""


class ResolvedNames(NamedTuple):
    """Key columns of n events, shape (n,); UNKNOWN (-1) where an event has no user or API key.

    `key_prefixes[attribution_index[i]]` is what event i's key digest begins with: its tenant and source.
    """

    tenant_key: Ints
    attribution_key: Ints
    user_key: Ints
    api_key_key: Ints
    attribution_index: NDArray[np.intp]
    key_prefixes: list[bytes]


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
        self._prefixes: list[bytes] = []

    def resolve(self, events: EventColumns) -> ResolvedNames:
        """Keys of all names of the events; unseen names are given keys."""
        if len(self._index) > ATTRIBUTIONS_MAX:
            self._clear_attributions()
        n = len(events)
        try:
            index = np.fromiter(map(self._index.__getitem__, events.attribution), dtype=np.intp, count=n)
        except KeyError:
            self._add([a for a in dict.fromkeys(events.attribution) if a not in self._index])
            index = np.fromiter(map(self._index.__getitem__, events.attribution), dtype=np.intp, count=n)
        tenant_key = self._tenant_keys[index]
        return ResolvedNames(
            tenant_key=tenant_key,
            attribution_key=self._attribution_keys[index],
            user_key=self._principal_keys("user", tenant_key, events.user_id),
            api_key_key=self._principal_keys("api_key", tenant_key, events.api_key_id),
            attribution_index=index,
            key_prefixes=self._prefixes,
        )

    def _add(self, attributions: list[Attribution]) -> None:
        tenants = self._dimensions.tenants({a[0] for a in attributions})
        identities = [
            (tenants[t], team or "", project or "", source or "") for t, team, project, source in attributions
        ]
        keys = self._dimensions.attributions(identities)
        self._index.update(
            zip(attributions, range(len(self._prefixes), len(self._prefixes) + len(attributions)), strict=True)
        )
        self._tenant_keys = np.append(self._tenant_keys, [identity[0] for identity in identities])
        self._attribution_keys = np.append(self._attribution_keys, [keys[identity] for identity in identities])
        self._prefixes += [key_prefix(a[0], a[3]) for a in attributions]

    def _principal_keys(self, kind: str, tenant_key: Ints, names: Sequence[str | None]) -> Ints:
        n = len(names)
        if names.count(None) == n:
            return np.full(n, UNKNOWN, dtype=np.int64)
        known = self._principals[kind]
        if len(known) > PRINCIPALS_MAX:
            known.clear()
        wanted = list(zip(tenant_key.tolist(), names, strict=True))
        try:
            return np.fromiter(map(known.__getitem__, wanted), dtype=np.int64, count=n)
        except KeyError:
            missing = {pair for pair in wanted if pair not in known}
        for tenant, name in missing:
            if not name:
                known[tenant, name] = UNKNOWN
        named = sorted((tenant, name) for tenant, name in missing if name)
        known.update({(tenant, name): key for (tenant, name), key in self._dimensions.principals(kind, named).items()})
        return np.fromiter(map(known.__getitem__, wanted), dtype=np.int64, count=n)


def key_prefix(tenant_id: str, source: str | None) -> bytes:
    """Tenant and source, each behind its length: ("a-b", "c") and ("a", "b-c") never meet."""
    parts = (tenant_id.encode(), (source or "").encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
