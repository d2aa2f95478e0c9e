"""A Prometheus histogram that takes many values at once: a batch costs one numpy call, however many events it has."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class WeightedHistogram(Collector):
    """Without labels; exposed as prometheus_client's own histograms are. Safe for several threads."""

    def __init__(self, name: str, text: str, buckets: Sequence[float]) -> None:
        """`buckets`: upper bounds, rising, without infinity."""
        self._name = name
        self._text = text
        self._bounds = tuple(map(float, buckets))
        self._below = np.zeros(len(buckets) + 1, dtype=np.int64)
        """How many values are at most each bound; the last is of all."""
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, values: ArrayLike, weights: ArrayLike | None = None) -> None:
        """Count `values`, shape (n,), each `weights` times (once where None); negative ones, from clocks that differ, as 0."""
        found = np.maximum(np.asarray(values, dtype=np.float64), 0.0)
        # A look at all values for each bound is faster here than finding each value's place among the bounds.
        if weights is None:
            below = [int(np.count_nonzero(found <= bound)) for bound in self._bounds]
            count, total = len(found), float(found.sum())
        else:
            times = np.asarray(weights, dtype=np.int64)
            below = [int(times[found <= bound].sum()) for bound in self._bounds]
            count, total = int(times.sum()), float((found * times).sum())
        with self._lock:
            self._below += [*below, count]
            self._sum += total

    def collect(self) -> Iterator[Metric]:
        """What has been counted so far."""
        with self._lock:
            below, total = self._below.tolist(), self._sum
        bounds = [*map(repr, self._bounds), "+Inf"]
        buckets: list[tuple[str, float]] = list(zip(bounds, below, strict=True))
        yield HistogramMetricFamily(self._name, self._text, buckets=buckets, sum_value=total)
