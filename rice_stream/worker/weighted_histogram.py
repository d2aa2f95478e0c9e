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
        self._bounds = np.array(buckets, dtype=np.float64)
        self._counts = np.zeros(len(buckets) + 1, dtype=np.int64)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, values: ArrayLike, weights: ArrayLike | None = None) -> None:
        """Count `values`, shape (n,), each `weights` times (once where None); negative ones, from clocks that differ, as 0."""
        found = np.maximum(np.asarray(values, dtype=np.float64), 0.0)
        if not found.size:
            return
        times = np.ones(found.shape, dtype=np.int64) if weights is None else np.asarray(weights, dtype=np.int64)
        # `le` includes its bound, hence the left side.
        places = np.searchsorted(self._bounds, found, side="left")
        counts = np.bincount(places, weights=times, minlength=len(self._counts)).astype(np.int64)
        with self._lock:
            self._counts += counts
            self._sum += float(found @ times)

    def collect(self) -> Iterator[Metric]:
        """What has been counted so far."""
        with self._lock:
            below, total = np.cumsum(self._counts).tolist(), self._sum
        bounds = [*map(_text_of, self._bounds.tolist()), "+Inf"]
        buckets: list[tuple[str, float]] = list(zip(bounds, below, strict=True))
        yield HistogramMetricFamily(self._name, self._text, buckets=buckets, sum_value=total)


def _text_of(bound: float) -> str:
    return repr(float(bound))
