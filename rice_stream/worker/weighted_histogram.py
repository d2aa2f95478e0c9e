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
        if weights is None:
            below, count, total = np.searchsorted(np.sort(found), self._bounds, side="right"), len(found), found.sum()
        else:
            times, order = np.asarray(weights, dtype=np.int64), np.argsort(found)
            up_to = np.concatenate(([0], np.cumsum(times[order])))
            below = up_to[np.searchsorted(found[order], self._bounds, side="right")]
            count, total = times.sum(), (found * times).sum()
        with self._lock:
            self._below += np.append(below, count)
            self._sum += float(total)

    def collect(self) -> Iterator[Metric]:
        """What has been counted so far."""
        with self._lock:
            below, total = self._below.tolist(), self._sum
        bounds = [*map(repr, self._bounds), "+Inf"]
        buckets: list[tuple[str, float]] = list(zip(bounds, below, strict=True))
        yield HistogramMetricFamily(self._name, self._text, buckets=buckets, sum_value=total)
