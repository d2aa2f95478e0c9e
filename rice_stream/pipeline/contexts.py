"""Kinds of requests seen so far, as arrays that whole batches index: coefficients, PUE, carbon intensity, factor key."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.columns import EventColumns, Service
from rice_stream.events.mappings import MODEL, NO_MAPPINGS, REGION, Mappings
from rice_stream.events.together.names import NumberedNames, combinations, distinct_numbers, shared_numbers
from rice_stream.instants import HOUR_S, SECOND_US
from rice_stream.meter.amounts import SiteFactors
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.live_intensity import LiveLookup, no_live_feed
from rice_stream.meter.service_key import ServiceKey
from rice_stream.quantities import Floats, Ints
from rice_stream.store.dimensions import KeyGiver
from rice_stream.store.factor_set_store import FactorSets

CONTEXTS_MAX = 100_000
"""Kinds of requests kept at hand; past that the table is emptied (events may bring their own factors)."""
_HOUR_US = HOUR_S * SECOND_US
_CHANGES_SHIFT = 32
"""An epoch packs two counters: the low 32 bits are the period of the tables (or the hour), the high bits how often
something else has changed."""
_UNNAMED = "unknown"
_NOTHING: dict[Service, int] = {}
_NOT_LOOKED_UP = -1
_NO_ROWS: NDArray[np.intp] = np.empty(0, dtype=np.intp)


class ContextTable:
    """`resolve` gives every event the row of its kind; the arrays hold one row a kind. Not for several threads."""

    def __init__(
        self,
        dimensions: KeyGiver,
        estimator: Estimator,
        live: LiveLookup = no_live_feed,
        keep_tables: Callable[[], None] | None = None,
    ) -> None:
        """`keep_tables` puts the estimator's tables where they can be had again; it is called before anything rests on them."""
        self._dimensions = dimensions
        self._estimator = estimator
        self._method = estimator.method
        self._live = live
        self._keep_tables = keep_tables
        self._generation = live.generation
        self._mappings = NO_MAPPINGS
        self._factor_sets: FactorSets = ()
        self._find_changes()
        self._clear()

    def _forget_rows(self) -> None:
        self._rows: dict[int, dict[Service, int]] = {}
        self._forget_numbers()

    def _forget_numbers(self) -> None:
        self._numbered: NumberedNames | None = None
        self._by_number: dict[int, NDArray[np.intp]] = {}
        """By epoch: the row of each combination of `_numbered`, _NOT_LOOKED_UP for one that was not asked for."""

    def _clear(self) -> None:
        self._forget_rows()
        self._size = 0
        self.coefficients: Floats = self._method.coefficients([])
        self.sites = SiteFactors.of([])
        self.it_per_metered: Floats = np.empty(0)
        """IT joules for a metered joule, NaN of a kind that is not metered."""
        self.factor_key: Ints = np.empty(0, dtype=np.int64)
        self.basis_flags = np.empty(0, dtype=np.int32)
        self._rungs: list[tuple[str, str, str]] = []
        self._kinds: list[tuple[int, Service]] = []

    def __len__(self) -> int:
        """How many kinds are at hand."""
        return self._size

    def forget(self) -> None:
        """Forget all kinds; rows given out before are void."""
        self._clear()

    def trim(self) -> None:
        """Forget all kinds when there are too many, and ask for factors again when a feed has new values. Rows given out
        before are void, so this comes between batches."""
        if self._size > CONTEXTS_MAX:
            self._clear()
        if self._live.generation != self._generation:
            self._forget_rows()
            self._generation = self._live.generation

    def use(self, mappings: Mappings, factor_sets: FactorSets = ()) -> None:
        """Take names as these mappings say, and factors as these sets do, from the next event on.

        ReferenceDataError: a set does not fit the tables.
        """
        if mappings is self._mappings and factor_sets is self._factor_sets:
            return
        if factor_sets != self._factor_sets:
            self._estimator = self._estimator.with_sets(factor_sets)
        self._forget_rows()
        self._mappings, self._factor_sets = mappings, factor_sets
        self._find_changes()

    def _find_changes(self) -> None:
        """When factors change by the tables and sets, unless they do by the hour; and when they do for another reason."""
        boundaries_us = self._estimator.boundaries_us
        self._by_hour = self._live is not no_live_feed or self._estimator.hourly
        changes_us = {*self._mappings.boundaries_us, *(boundaries_us if self._by_hour else ())}
        self._boundaries_us = np.array(boundaries_us, dtype=np.int64)
        self._changes_us = np.array(sorted(changes_us), dtype=np.int64)

    def resolve(self, events: EventColumns) -> NDArray[np.intp]:
        """Row of each event's kind, shape (n,). Factors hold as of the event's time, so a kind has a row an epoch.
        KeyError: some kind is not known; `learn` it."""
        found = shared_numbers(events.served)
        if found is not None and len(events):
            epochs = self._epochs(events.ended_at_us)
            if (epochs == epochs[0]).all():
                return self._of_numbers(int(epochs[0]), *found, len(events.served))
        rows = np.empty(len(events), dtype=np.intp)
        for epoch, chosen, served in self._by_epoch(events):
            known = self._rows.get(epoch, _NOTHING)
            rows[chosen] = np.fromiter(map(known.__getitem__, zip(*served, strict=True)), np.intp, len(served[0]))
        return rows

    def _of_numbers(self, epoch: int, names: NumberedNames, numbers: Ints, fields: int) -> NDArray[np.intp]:
        """Rows of events of one epoch whose names are numbered: each combination is looked up once, by its first so many fields."""
        if self._numbered is not names:
            self._forget_numbers()
            self._numbered = names
        rows = self._by_number.get(epoch, _NO_ROWS)
        if len(rows) < len(names):
            rows = np.append(rows, np.full(len(names) - len(rows), _NOT_LOOKED_UP, dtype=np.intp))
            self._by_number[epoch] = rows
        found = rows[numbers]
        if (found == _NOT_LOOKED_UP).any():
            known = self._rows.get(epoch, _NOTHING)
            for number in distinct_numbers(names, numbers[found == _NOT_LOOKED_UP]).tolist():
                rows[number] = known[names.combination(number)[:fields]]
            found = rows[numbers]
        return found

    def learn(self, blocks: Sequence[EventColumns]) -> None:
        """Resolve the factors of the kinds that are not known yet, and keep them in the store."""
        wanted: dict[int, dict[Service, None]] = {}
        for events in blocks:
            for epoch, _, served in self._by_epoch(events):
                found = shared_numbers(served)
                services: Iterable[Service] = zip(*served, strict=True)
                if found is not None:
                    names, numbers = found
                    services = (each[: len(served)] for each in combinations(names, distinct_numbers(names, numbers)))
                wanted.setdefault(epoch, {}).update(dict.fromkeys(services))
        for epoch, services in wanted.items():
            known = self._rows.setdefault(epoch, {})
            if missing := [service for service in services if service not in known]:
                self._add(epoch, missing)

    def with_cache_hits(self, rows: NDArray[np.intp], inference: NDArray[np.bool_]) -> NDArray[np.intp]:
        """The rows, and for events that a gateway answered from its own cache the row that their kind has for this: the
        same factors under a key of its own, so that totals tell what rests on claimed cache hits."""
        hits = np.flatnonzero(~inference)
        if not hits.size:
            return rows
        rows = rows.copy()
        rows[hits] = self._variants(rows[hits], "gateway_cache_hit", [True] * len(hits))
        return rows

    def measured(self, rows: NDArray[np.intp], boundaries: Sequence[str]) -> NDArray[np.intp]:
        """For events in these rows whose energy was metered at these boundaries, the rows that their kinds have for this."""
        return self._variants(rows, "energy_boundary", boundaries)

    def _variants(self, rows: NDArray[np.intp], field: str, values: Sequence[object]) -> NDArray[np.intp]:
        """The rows of the same kinds with `field` of `ServiceKey` as it is given."""
        pairs = list(zip(rows.tolist(), values, strict=True))
        found = {pair: self._variant(pair[0], field, pair[1]) for pair in dict.fromkeys(pairs)}
        wanted: dict[int, dict[Service, None]] = {}
        for epoch, service in found.values():
            if service not in self._rows.setdefault(epoch, {}):
                wanted.setdefault(epoch, {})[service] = None
        for epoch, services in wanted.items():
            self._add(epoch, list(services))
        row_of = {pair: self._rows[epoch][service] for pair, (epoch, service) in found.items()}
        return np.array([row_of[pair] for pair in pairs], dtype=np.intp)

    def _variant(self, row: int, field: str, value: object) -> tuple[int, Service]:
        epoch, service = self._kinds[row]
        changed: dict[str, Any] = {field: value}
        return epoch, tuple(ServiceKey(*service)._replace(**changed))

    def rungs(self, rows: NDArray[np.intp]) -> Counter[tuple[str, str]]:
        """How many of the events in these rows rest on each rung: (`model`, `region` or `pue`, rung) -> events."""
        found: Counter[tuple[str, str]] = Counter()
        counts = np.bincount(rows)
        kinds = np.flatnonzero(counts)
        for kind, count in zip(kinds.tolist(), counts[kinds].tolist(), strict=True):
            for factor, rung in zip(("model", "region", "pue"), self._rungs[kind], strict=True):
                found[factor, rung] += count
        return found

    def _by_epoch(self, events: EventColumns) -> Iterator[tuple[int, Any, Sequence[Sequence[Any]]]]:
        """(epoch, places of its events, what served them) for every epoch; nearly always one."""
        epochs = self._epochs(events.ended_at_us)
        if len(epochs) and (epochs == epochs[0]).all():
            yield int(epochs[0]), slice(None), events.served
            return
        distinct = np.unique(epochs).tolist()
        for epoch in distinct:
            chosen = np.flatnonzero(epochs == epoch)
            places = chosen.tolist()
            yield epoch, chosen, [[column[place] for place in places] for column in events.served]

    def _epochs(self, ended_at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the stretch of time in which no factor changes: between table changes, or an hour of a feed."""
        epochs = self._table_epochs(ended_at_us)
        if not len(self._changes_us):
            return epochs
        return epochs + (np.searchsorted(self._changes_us, ended_at_us, side="right") << _CHANGES_SHIFT)

    def _table_epochs(self, ended_at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        if self._by_hour:
            return ended_at_us // _HOUR_US
        return np.searchsorted(self._boundaries_us, ended_at_us, side="right")

    def _epoch_start_us(self, epoch: int) -> int:
        changes = epoch >> _CHANGES_SHIFT
        start_us = self._table_epoch_start_us(epoch & ((1 << _CHANGES_SHIFT) - 1))
        return max(start_us, int(self._changes_us[changes - 1])) if changes else start_us

    def _table_epoch_start_us(self, epoch: int) -> int:
        if self._by_hour:
            return epoch * _HOUR_US
        return int(self._boundaries_us[epoch - 1]) if epoch else 0

    def _add(self, epoch: int, services: list[Service]) -> None:
        at_us = self._epoch_start_us(epoch)
        estimator = self._estimator.at(at_us)
        keys_said = [ServiceKey(*service) for service in services]
        drafts = [estimator.draft(key, live=self._live, mapped=self._mapped(key, at_us)) for key in keys_said]
        uses = estimator.finished(drafts)
        if self._keep_tables is not None:
            self._keep_tables()
            self._keep_tables = None
        keys = self._dimensions.factors([{**use.columns, "digest": use.digest} for use in uses])
        self.coefficients = np.vstack([self.coefficients, *(use.kind.coefficients for use in uses)])
        self.sites = self.sites.followed_by(SiteFactors.of([use.site for use in uses]))
        ratios = [np.nan if use.measured is None else use.measured.it_per_metered for use in uses]
        self.it_per_metered = np.append(self.it_per_metered, ratios)
        self.factor_key = np.append(self.factor_key, np.array([keys[use.digest] for use in uses], dtype=np.int64))
        self.basis_flags = np.append(self.basis_flags, np.array([use.basis_flags for use in uses], dtype=np.int32))
        self._rungs += [(use.model.rung, use.rci_rung, use.pue.rung) for use in uses]
        self._kinds += [(epoch, service) for service in services]
        self._rows[epoch].update(zip(services, range(self._size, self._size + len(services)), strict=True))
        self._size += len(services)

    def _mapped(self, key: ServiceKey, at_us: int) -> ServiceKey:
        """The key with what its names stand for; a mapping of the region `unknown` is for events that name none."""
        target = self._mappings.target
        return key._replace(
            request_model=target(MODEL, key.request_model, at_us) or key.request_model,
            response_model=target(MODEL, key.response_model, at_us) or key.response_model,
            inference_region=target(REGION, key.inference_region or _UNNAMED, at_us) or key.inference_region,
        )
