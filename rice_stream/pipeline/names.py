"""Names seen so far (tenants, teams, users ...) as the small integers that the store keeps."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.columns import ATTRIBUTION_FIELDS, EventColumns
from rice_stream.events.keys import key_hasher
from rice_stream.events.together.names import NumberedNames, combinations, distinct_numbers, shared_numbers
from rice_stream.instants import DAY_US
from rice_stream.quantities import UNKNOWN, Ints
from rice_stream.store.dimensions import AttributionIdentity, KeyGiver

PRINCIPALS_MAX = 500_000
ATTRIBUTIONS_MAX = 200_000
"""Names kept at hand; past that a table is emptied and looks names up again."""
PRINCIPALS_KEPT_US = DAY_US
"""Users and API keys are looked up again once a day: the store forgets those that no record holds any more."""


_NOT_LOOKED_UP = UNKNOWN - 1
_Attribution = tuple[Any, ...]
"""The values of ATTRIBUTION_FIELDS as they came, followed by those of CHARGED_FIELDS where mappings said any."""


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

    def __init__(self, dimensions: KeyGiver) -> None:
        self._dimensions = dimensions
        self.tenant_ids: dict[int, str] = {}
        """By key, of all tenants that were looked up."""
        self._clear_attributions()
        self._principals: dict[str, dict[tuple[int, str | None], int]] = {"user": {}, "api_key": {}}
        self._cleared_at_us = 0

    def _clear_attributions(self) -> None:
        self._index: dict[_Attribution, int] = {}
        self._tenant_keys: Ints = np.empty(0, dtype=np.int64)
        self._attribution_keys: Ints = np.empty(0, dtype=np.int64)
        self._hashers: list[blake2b] = []
        self._said: dict[tuple[int, int], int] = {}
        self._forget_numbers()

    def _forget_numbers(self) -> None:
        self._numbered: NumberedNames | None = None
        self._by_number: Ints = np.empty((3, 0), dtype=np.int64)
        """Row, user and API key of each combination of `_numbered`; _NOT_LOOKED_UP for one that was not asked for."""

    def trim(self, now_us: int) -> None:
        """Forget names when there are too many, and users once a day, whichever way the clock went: between batches."""
        if len(self._index) > ATTRIBUTIONS_MAX:
            self._clear_attributions()
        outdated = abs(now_us - self._cleared_at_us) > PRINCIPALS_KEPT_US
        for known in self._principals.values():
            if outdated or len(known) > PRINCIPALS_MAX:
                known.clear()
                self._forget_numbers()
        if outdated:
            self._cleared_at_us = now_us

    def resolve(self, events: EventColumns) -> ResolvedNames:
        """Keys of all names of the events. KeyError: some name is not known; `learn` it."""
        found = shared_numbers(_named(events))
        if found is not None:
            return self._of_numbers(*found)
        index = self._rows(events)
        tenant_key = self._tenant_keys[index]
        return ResolvedNames(
            tenant_key=tenant_key,
            attribution_key=self._attribution_keys[index],
            user_key=self._principal_keys("user", tenant_key, events.user_id),
            api_key_key=self._principal_keys("api_key", tenant_key, events.api_key_id),
            key_hashers=map(self._hashers.__getitem__, index.tolist()),
        )

    def _of_numbers(self, names: NumberedNames, numbers: Ints) -> ResolvedNames:
        """Keys of events whose names are numbered: each combination is looked up once."""
        if self._numbered is not names:
            self._forget_numbers()
            self._numbered = names
        known = self._by_number.shape[1]
        if known < len(names):
            more = np.full((3, len(names) - known), _NOT_LOOKED_UP, dtype=np.int64)
            self._by_number = np.concatenate([self._by_number, more], axis=1)
        found = self._by_number[:, numbers]
        if (found[0] == _NOT_LOOKED_UP).any():
            wanted = distinct_numbers(names, numbers[found[0] == _NOT_LOOKED_UP])
            self._by_number[:, wanted] = self._look_up(combinations(names, wanted))
            found = self._by_number[:, numbers]
        index, user_key, api_key_key = found
        return ResolvedNames(
            tenant_key=self._tenant_keys[index],
            attribution_key=self._attribution_keys[index],
            user_key=user_key,
            api_key_key=api_key_key,
            key_hashers=map(self._hashers.__getitem__, index.tolist()),
        )

    def _look_up(self, wanted: Sequence[tuple[Any, ...]]) -> tuple[Ints, Ints, Ints]:
        """Rows, users and API keys of combinations of names; KeyError: some name is not known."""
        *attributed, user_ids, api_key_ids = zip(*wanted, strict=True)
        rows = np.fromiter(
            map(self._index.__getitem__, zip(*attributed, strict=True)), dtype=np.int64, count=len(wanted)
        )
        tenant_key = self._tenant_keys[rows]
        users = self._principal_keys("user", tenant_key, user_ids)
        return rows, users, self._principal_keys("api_key", tenant_key, api_key_ids)

    def said_keys(self, tenant_key: Ints, attribution_key: Ints) -> Ints | None:
        """The attributions that the events of these keys themselves said, shape (n,); None: those."""
        if not self._said:
            return None
        pairs = zip(tenant_key.tolist(), attribution_key.tolist(), strict=True)
        return np.array([self._said.get(pair, pair[1]) for pair in pairs], dtype=np.int64)

    def learn(self, blocks: Sequence[EventColumns]) -> None:
        """Ask the store for the names that are not known yet, which gives keys to new ones: a few statements for all."""
        asked = [self._to_look_up(events) for events in blocks]
        attributions = dict.fromkeys(chain.from_iterable(each.attributions for each in asked))
        if missing := [attribution for attribution in attributions if attribution not in self._index]:
            self._add(missing)
        tenant_keys = [self._tenants_of(each.attributions) for each in asked]
        for kind, known in self._principals.items():
            pairs: set[tuple[int, str | None]] = set()
            for each, tenants in zip(asked, tenant_keys, strict=True):
                pairs.update(zip(tenants, each.users if kind == "user" else each.api_keys, strict=True))
            pairs -= known.keys()
            known.update({(tenant, name): UNKNOWN for tenant, name in pairs if not name})
            named = sorted((tenant, name) for tenant, name in pairs if name)
            if named:
                keys = self._dimensions.principals(kind, named)
                known.update({(tenant, name): key for (tenant, name), key in keys.items()})

    def _to_look_up(self, events: EventColumns) -> "_Asked":
        """The names of all events, or of each combination that was not looked up yet where they are numbered."""
        found = shared_numbers(_named(events))
        if found is None:
            return _Asked(list(_attributions(events)), events.user_id, events.api_key_id)
        names, of_events = found
        numbers = distinct_numbers(names, of_events)
        if self._numbered is names:
            known = self._by_number[0]
            numbers = numbers[(numbers >= len(known)) | (np.take(known, numbers, mode="clip") == _NOT_LOOKED_UP)]
        wanted = combinations(names, numbers)
        return _Asked([each[:-2] for each in wanted], [each[-2] for each in wanted], [each[-1] for each in wanted])

    def _tenants_of(self, attributions: list[_Attribution]) -> list[int]:
        keys: list[int] = self._tenant_keys[list(map(self._index.__getitem__, attributions))].tolist()
        return keys

    def _rows(self, events: EventColumns) -> NDArray[np.intp]:
        rows = map(self._index.__getitem__, _attributions(events))
        return np.fromiter(rows, dtype=np.intp, count=len(events))

    def _add(self, attributions: list[_Attribution]) -> None:
        tenants = self._dimensions.tenants(sorted({a[0] for a in attributions}))
        self.tenant_ids |= {key: tenant_id for tenant_id, key in tenants.items()}
        said = [
            AttributionIdentity(tenants[t], team or "", project or "", source or "")
            for t, team, project, source in map(_as_said, attributions)
        ]
        keys = self._dimensions.attributions(said)
        identities = [
            _as_charged(attribution, each, keys[each]) for attribution, each in zip(attributions, said, strict=True)
        ]
        if charged := [each for each in identities if each.said_key]:
            keys |= self._dimensions.attributions(charged)
            self._said |= {(each.tenant_key, keys[each]): each.said_key for each in charged}
        self._index.update(
            zip(attributions, range(len(self._hashers), len(self._hashers) + len(attributions)), strict=True)
        )
        self._tenant_keys = np.append(self._tenant_keys, [identity[0] for identity in identities])
        self._attribution_keys = np.append(self._attribution_keys, [keys[identity] for identity in identities])
        self._hashers += [key_hasher(a[0], a[3]) for a in attributions]

    def _principal_keys(self, kind: str, tenant_key: Ints, names: Sequence[str | None]) -> Ints:
        if not any(names):
            return np.full(len(names), UNKNOWN, dtype=np.int64)
        pairs = zip(tenant_key.tolist(), names, strict=True)
        return np.fromiter(map(self._principals[kind].__getitem__, pairs), dtype=np.int64, count=len(names))


class _Asked(NamedTuple):
    """Names that are to be known: of any number of events, by position."""

    attributions: list[_Attribution]
    users: Sequence[str | None]
    api_keys: Sequence[str | None]


def _named(events: EventColumns) -> tuple[Sequence[str | None], ...]:
    """All names of who used the events, and whom mappings charge them to."""
    return (*events.attributed, *events.charged, events.user_id, events.api_key_id)


def _attributions(events: EventColumns) -> Iterator[_Attribution]:
    return zip(*events.attributed, *events.charged, strict=True)


def _as_said(attribution: _Attribution) -> _Attribution:
    return attribution[: len(ATTRIBUTION_FIELDS)]


def _as_charged(attribution: _Attribution, said: AttributionIdentity, said_key: int) -> AttributionIdentity:
    """What mappings make of what an event said, whose key is `said_key`; the same where they change nothing."""
    charged = attribution[len(ATTRIBUTION_FIELDS) :]
    if not charged or charged == (said.team_id, said.project_id, said.cost_centre):
        return said
    team_id, project_id, cost_centre = charged
    return AttributionIdentity(said.tenant_key, team_id, project_id, said.source, cost_centre, said_key)
