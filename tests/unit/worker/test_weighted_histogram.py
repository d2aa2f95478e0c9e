"""A histogram of many values at once is exposed exactly as prometheus_client's own of the same values."""

import random

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from rice_stream.worker.weighted_histogram import WeightedHistogram

BOUNDS = (0.05, 0.5, 2.5, 10)


def test_it_counts_as_the_library_counts_one_by_one() -> None:
    """Values on a bound, beyond the last one and below 0 (as 0), each as often as its weight says."""
    chooser = random.Random(15)
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    many = WeightedHistogram("waits", "How long", BOUNDS)
    ours.register(many)
    one = Histogram("waits", "How long", buckets=BOUNDS, registry=theirs)
    for _ in range(50):
        values = [chooser.choice([*BOUNDS, -1.0, 0.0, 11.0, chooser.uniform(0, 12)]) for _ in range(40)]
        weights = [chooser.randrange(4) for _ in values] if chooser.random() < 0.5 else None
        many.observe(values, weights)
        for value, weight in zip(values, weights or [1] * len(values), strict=True):
            for _ in range(weight):
                one.observe(max(0.0, value))
    many.observe([])
    assert shown(ours) == shown(theirs)


def shown(registry: CollectorRegistry) -> dict[str, float]:
    """Every line of a scrape but the time of making; amounts to 9 digits."""
    lines = [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
    values = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: round(float(value), 9) for name, _, value in values}
