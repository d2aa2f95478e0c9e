"""Every metric of `rice-stream serve`, in one place. docs/metrics.md explains each; a test checks that every one is documented."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from rice_stream.alerting.tries import DeliveryFigures
from rice_stream.api.ingestion.receiving import Received
from rice_stream.channels.definition import OPEN_STATES, TYPES, ChannelType

_ANSWER_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 10)
_DELIVERY_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 21_600, 86_400)
"""Seconds; the promise of docs/metrics.md ends at 10."""
DELIVERY_OUTCOMES = ("done", "failed", "dead")
"""What becomes of a try to send; `failed`: it will be tried again."""


@dataclass(frozen=True)
class ServerMetrics:
    """The metrics of one server, on a registry of their own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: Counter = field(
        default_factory=lambda: Counter(
            "rice_http_requests", "Requests answered, by path and status", ["path", "status"], registry=None
        )
    )
    request_seconds: Histogram = field(
        default_factory=lambda: Histogram(
            "rice_http_request_seconds",
            "From a request to the head of its answer",
            ["path"],
            buckets=_ANSWER_BUCKETS,
            registry=None,
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
    delivery_tries: Counter = field(
        default_factory=lambda: Counter(
            "rice_delivery_tries",
            "Tries to send to a channel, by its type and what came of it: done, failed, dead",
            ["type", "outcome"],
            registry=None,
        )
    )
    delivery_seconds: Histogram = field(
        default_factory=lambda: Histogram(
            "rice_delivery_seconds",
            "From when a delivery was due for the first time to when its receiver had it, or it was given up",
            ["type"],
            buckets=_DELIVERY_BUCKETS,
            registry=None,
        )
    )
    deliveries_open: Gauge = field(
        default_factory=lambda: Gauge(
            "rice_deliveries_open", "Deliveries that wait, by state", ["state"], registry=None
        )
    )
    delivery_overdue: Gauge = field(
        default_factory=lambda: Gauge(
            "rice_delivery_overdue_seconds",
            "How long the delivery that has waited longest past its time has done so",
            registry=None,
        )
    )
    channel_failing: Gauge = field(
        default_factory=lambda: Gauge(
            "rice_channel_failing", "Channels that have failed for 24 hours, or were told to stop (410)", registry=None
        )
    )

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if name != "registry":
                self.registry.register(getattr(self, name))
        # A rate knows nothing of what a series began with, so they begin with 0.
        for channel_type in TYPES:
            self.delivery_seconds.labels(channel_type)
            for outcome in DELIVERY_OUTCOMES:
                self.delivery_tries.labels(channel_type, outcome)
        for state in OPEN_STATES:
            self.deliveries_open.labels(state)

    def answered(self, scope: Mapping[str, Any], status: int, seconds: float) -> None:
        """Count an answer by the route that gave it; paths that do not exist are one series, however many are tried."""
        path = route_of(scope)
        self.requests.labels(path, str(status)).inc()
        self.request_seconds.labels(path).observe(seconds)

    def count(self, received: Received) -> None:
        """Count what was in a request that was taken."""
        self.items.labels("accepted").inc(len(received.events))
        self.items.labels("ignored").inc(received.ignored)
        self.items.labels("refused").inc(len(received.refused) + len(received.forbidden))

    def delivery_tried(self, channel_type: ChannelType, outcome: str) -> None:
        """Count a try to send: one of `DELIVERY_OUTCOMES`."""
        self.delivery_tries.labels(channel_type, outcome).inc()

    def delivery_ended(self, channel_type: ChannelType, seconds: float) -> None:
        """Count a delivery that has arrived, or was given up, so long after it was stored."""
        self.delivery_seconds.labels(channel_type).observe(seconds)

    def deliveries_measured(self, stand: DeliveryFigures) -> None:
        """Show how deliveries of all servers stand."""
        for state, count in stand.open.items():
            self.deliveries_open.labels(state).set(count)
        self.delivery_overdue.set(stand.overdue_s)
        self.channel_failing.set(stand.failing)


def route_of(scope: Mapping[str, Any]) -> str:
    """The template of the route that answers, such as `/v1/prompts/{event_id}`; `other` where there is none."""
    path: str = getattr(scope.get("route"), "path", "other")
    return path
