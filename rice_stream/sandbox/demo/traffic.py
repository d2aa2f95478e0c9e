"""The demo's traffic: what it is, and sending it to Kafka at its own pace."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Any

from rice_stream.kafka.config import KafkaConfig
from rice_stream.sandbox.demo.options import DemoOptions
from rice_stream.sandbox.traffic.oddities import Oddities
from rice_stream.sandbox.traffic.send import Destination, SendReport, send
from rice_stream.sandbox.traffic.traffic import live_traffic

# Between the making of the source and the first event.
_LEAD_S = 1.0

# Shorter than a production sender's: somebody is watching.
_DELIVERY_TIMEOUT_S = 15.0


def demo_traffic(options: DemoOptions, now: datetime, duration_s: float | None) -> Iterator[dict[str, Any]]:
    """The demo's events from `now` on: production-shaped, with what goes wrong in production."""
    return live_traffic(
        seed=options.seed,
        tenants=options.tenants,
        rate_per_s=options.rate_per_s,
        now=now,
        duration_s=duration_s,
        oddities=Oddities(),
    )


class TrafficSource:
    """`confirmed` events are on Kafka so far; may be read from any thread. Traffic flows from `starts_at` on."""

    def __init__(self, options: DemoOptions, bootstrap_servers: str, topic: str) -> None:
        self.confirmed = 0
        self.starts_at = datetime.now(UTC) + timedelta(seconds=_LEAD_S)
        self._options = options
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._enough = threading.Event()

    def finish(self) -> None:
        """Send nothing more; `run` returns when what was sent is confirmed."""
        self._enough.set()

    def run(self) -> SendReport:
        """Send until the demo's seconds are over, or `finish`. ServiceUnavailableError: as `send` raises."""
        events = demo_traffic(self._options, self.starts_at, self._options.seconds)
        # Drawing what is under way at the start takes a moment: done before the start, so that the first second is whole.
        first = list(islice(events, 1))
        return send(
            chain(first, events),
            Destination(
                KafkaConfig(self._bootstrap_servers),
                self._topic,
                producer_options={"log_level": 0},
                delivery_timeout_s=_DELIVERY_TIMEOUT_S,
            ),
            rate="real",
            # What is due is measured from here on, wherever in the traffic's time that is.
            origin=datetime.now(UTC),
            on_progress=self._count,
            stop=self._enough,
        )

    def _count(self, confirmed: int) -> None:
        self.confirmed = confirmed
