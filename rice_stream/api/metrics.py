"""Counters of `rice-stream serve`. docs/operations.md explains each; a test checks that every one is documented."""

from dataclasses import dataclass, field

from fastapi import Request
from prometheus_client import CollectorRegistry, Counter

from rice_stream.api.ingestion.receiving import Received

PATHS = frozenset({"/v1/events", "/v1/traces", "/v1/logs", "/healthz", "/readyz", "/metrics", "/openapi.json"})


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

    def answered(self, request: Request, status: int) -> None:
        """Count an answer; paths that do not exist are one series, however many are tried."""
        path = request.scope["path"] if request.scope["path"] in PATHS else "other"
        self.requests.labels(path, str(status)).inc()

    def count(self, received: Received) -> None:
        """Count what was in a request that was taken."""
        self.items.labels("accepted").inc(len(received.events))
        self.items.labels("ignored").inc(received.ignored)
        self.items.labels("refused").inc(len(received.refused) + len(received.forbidden))
