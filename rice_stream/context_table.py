"""Kinds of requests seen so far, as arrays that whole batches index: coefficients, PUE, carbon intensity, factor key."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.estimator.types import Floats, Ints, Method
from rice_stream.factors import FactorPolicy, LiveLookup, ServiceKey, no_live_feed, resolve_factors
from rice_stream.ingest.columns import EventColumns, Service
from rice_stream.reference import Reference
from rice_stream.store import Dimensions

CONTEXTS_MAX = 100_000
"""Kinds of requests kept at hand; past that the table starts anew (events may bring their own factors)."""
_HOUR_US = 3_600_000_000


class ContextTable:
    """`resolve` gives every event the row of its kind; the arrays hold one row a kind. Not for several threads."""

    def __init__(
        self,
        dimensions: Dimensions,
        reference: Reference,
        policy: FactorPolicy,
        method: Method,
        live: LiveLookup = no_live_feed,
    ) -> None:
        self._dimensions = dimensions
        self._reference = reference
        self._policy = policy
        self._method = method
        self._live = live
        self._boundaries_us = np.array(reference.boundaries_us, dtype=np.int64)
        self._generation = live.generation
        self._clear()

    def _clear(self) -> None:
        self._rows: dict[int, dict[Service, int]] = {}
        self._size = 0
        self.coefficients: Floats = self._method.coefficients([])
        self.pue: Floats = np.empty(0)
        self.rci_low: Floats = np.empty(0)
        self.rci_mid: Floats = np.empty(0)
        self.rci_high: Floats = np.empty(0)
        self.factor_key: Ints = np.empty(0, dtype=np.int64)

    def trim(self) -> None:
        """Start anew when there are too many kinds. Rows given out before are void, so this comes between batches."""
        if self._size > CONTEXTS_MAX:
            self._clear()

    def resolve(self, events: EventColumns) -> NDArray[np.intp]:
        """Row of each event's kind, shape (n,). Factors hold as of the event's time, so a kind has a row an epoch."""
        if self._live.generation != self._generation:
            self._rows.clear()
            self._generation = self._live.generation
        epochs = self._epochs(events.ended_at_us)
        distinct = np.unique(epochs).tolist()
        if len(distinct) == 1:
            return self._resolve_epoch(distinct[0], events.served)
        rows = np.empty(len(events), dtype=np.intp)
        for epoch in distinct:
            chosen = np.flatnonzero(epochs == epoch)
            places = chosen.tolist()
            rows[chosen] = self._resolve_epoch(epoch, [[column[i] for i in places] for column in events.served])
        return rows

    def _epochs(self, ended_at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the stretch of time in which no factor changes: between table changes, or an hour of a feed."""
        if self._live is not no_live_feed:
            return ended_at_us // _HOUR_US
        return np.searchsorted(self._boundaries_us, ended_at_us, side="right")

    def _epoch_start_us(self, epoch: int) -> int:
        if self._live is not no_live_feed:
            return epoch * _HOUR_US
        return int(self._boundaries_us[epoch - 1]) if epoch else 0

    def _resolve_epoch(self, epoch: int, served: Sequence[Sequence[Any]]) -> NDArray[np.intp]:
        known = self._rows.setdefault(epoch, {})
        n = len(served[0])
        try:
            return np.fromiter(map(known.__getitem__, zip(*served, strict=True)), dtype=np.intp, count=n)
        except KeyError:
            services: list[Service] = list(zip(*served, strict=True))
        self._add(epoch, [service for service in dict.fromkeys(services) if service not in known])
        return np.fromiter(map(known.__getitem__, services), dtype=np.intp, count=n)

    def _add(self, epoch: int, services: list[Service]) -> None:
        at_us = self._epoch_start_us(epoch)
        uses = [
            resolve_factors(
                ServiceKey(*service),
                at_us,
                reference=self._reference,
                policy=self._policy,
                method_version=self._method.version,
                live=self._live,
            )
            for service in services
        ]
        keys = self._dimensions.factors([{**use.columns, "digest": use.digest} for use in uses])
        self.coefficients = np.vstack([self.coefficients, self._method.coefficients([use.context for use in uses])])
        self.pue = np.append(self.pue, [use.pue.pue for use in uses])
        self.rci_low = np.append(self.rci_low, [use.rci_gco2e_per_kwh.low for use in uses])
        self.rci_mid = np.append(self.rci_mid, [use.rci_gco2e_per_kwh.mid for use in uses])
        self.rci_high = np.append(self.rci_high, [use.rci_gco2e_per_kwh.high for use in uses])
        self.factor_key = np.append(self.factor_key, np.array([keys[use.digest] for use in uses], dtype=np.int64))
        self._rows[epoch].update(zip(services, range(self._size, self._size + len(services)), strict=True))
        self._size += len(services)
