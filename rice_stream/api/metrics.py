"""Counters of `rice-stream serve`. docs/operations.md explains each; a test checks that every one is documented."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, Counter

from rice_stream.api.ingestion.receiving import Received


@dataclass(frozen=True)
class HttpMetrics:
    """The metrics of one server, on a registry of their own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: Counter = field(
        default_factory=lambda: Counter(
            "rice_http_requests", "Requests answered, by path and status", ["path", "status"], registry=None
        )
    )
    items: Counter = field(
        default_factory=lambda: Counter(
            "rice_http_items",
            "Items of requests that were taken: accepted, ignored, refused",
            ["outcome"],
            registry=None,
        )
    )

    unkept: Counter = field(
        default_factory=lambda: Counter(
            "rice_http_refusals_unkept",
            "Refused items that are not in quarantine: too many of one sender, or the broker did not confirm",
            registry=None,
        )
    )

    def __post_init__(self) -> None:
        self.registry.register(self.unkept)
        self.registry.register(self.requests)
        self.registry.register(self.items)

    def answered(self, scope: Mapping[str, Any], status: int) -> None:
        """Count an answer by the route that gave it; paths that do not exist are one series, however many are tried."""
        path = getattr(scope.get("route"), "path", "other")
        self.requests.labels(path, str(status)).inc()

    def count(self, received: Received) -> None:
        """Count what was in a request that was taken."""
        self.items.labels("accepted").inc(len(received.events))
        self.items.labels("ignored").inc(received.ignored)
        self.items.labels("refused").inc(len(received.refused) + len(received.forbidden))
