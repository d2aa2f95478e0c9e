"""What the processes expose for Prometheus, read out of real registries as a scrape reads it."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from rice_stream.api.metrics import ServerMetrics
from rice_stream.worker.metrics import Metrics, ProcessMetrics

_NAME = re.compile(r"\b(rice_[a-z0-9_]+)\b(?:\{([^}]*)})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


class ExposedMetric(NamedTuple):
    """A metric as documentation names it: a counter with `_total`, a histogram without its suffixes."""

    name: str
    type: str
    labels: frozenset[str]


class Selector(NamedTuple):
    """What an expression asks for: the series of a name, with these matchers (label, operator, value)."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]


def exposed(registry: CollectorRegistry) -> dict[str, ExposedMetric]:
    """Every metric of the registry by its name; labelled ones get a series, so that a scrape shows them."""
    for collector in list(registry._collector_to_names):
        labelled: Any = collector
        if names := getattr(collector, "_labelnames", ()):
            labelled.labels(*names)
    found = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        if family.name.endswith("_created"):
            continue
        labels = frozenset().union(*(sample.labels for sample in family.samples)) - {"le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = ExposedMetric(name, family.type, labels)
    return found


def of_the_worker() -> dict[str, ExposedMetric]:
    """Of `rice-stream worker`."""
    return exposed(Metrics().registry)


def of_processes() -> dict[str, ExposedMetric]:
    """Of `rice-stream worker --processes N`, beside those of each process."""
    return exposed(ProcessMetrics().registry)


def of_the_server() -> dict[str, ExposedMetric]:
    """Of `rice-stream serve`."""
    return exposed(ServerMetrics().registry)


@cache
def series() -> dict[str, frozenset[str]]:
    """Name of every series as Prometheus stores it -> its labels, without those of the scrape."""
    found: dict[str, frozenset[str]] = {}
    for metric in (*of_the_worker().values(), *of_the_server().values()):
        for suffix in ("_bucket", "_sum", "_count") if metric.type == "histogram" else ("",):
            found[metric.name + suffix] = metric.labels | ({"le"} if suffix == "_bucket" else set())
    return found


@cache
def buckets() -> dict[str, frozenset[str]]:
    """Name of every histogram -> the values of `le` that a scrape shows."""
    found: dict[str, set[str]] = {}
    for registry in (Metrics().registry, ServerMetrics().registry):
        exposed(registry)  # gives labelled ones a series
        for family in text_string_to_metric_families(generate_latest(registry).decode()):
            for sample in family.samples:
                if "le" in sample.labels:
                    found.setdefault(family.name, set()).add(sample.labels["le"])
    return {name: frozenset(values) for name, values in found.items()}


def selectors(expression: str) -> Iterator[Selector]:
    """Every series of ours that a PromQL expression asks for."""
    for name, matchers in _NAME.findall(expression):
        yield Selector(name, tuple(_MATCHER.findall(matchers)))
