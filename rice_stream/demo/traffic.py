"""Sends the demo's traffic to Kafka at its own pace."""

import threading
from datetime import UTC, datetime

from rice_stream.demo.forecast import traffic
from rice_stream.demo.options import DemoOptions
from rice_stream.replay import SendReport, send

# Shorter than a production sender's: somebody is watching.
_DELIVERY_TIMEOUT_S = 15.0


class TrafficSource:
    """`confirmed` events are on Kafka so far; may be read from any thread."""

    def __init__(self, options: DemoOptions, bootstrap_servers: str, topic: str) -> None:
        self.confirmed = 0
        self._options = options
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._enough = threading.Event()

    def finish(self) -> None:
        """Send nothing more; `run` returns when what was sent is confirmed."""
        self._enough.set()

    def run(self) -> SendReport:
        """Send until the demo's seconds are over, or `finish`. ServiceUnavailableError: as `send` raises."""
        now = datetime.now(UTC)
        return send(
            traffic(self._options, now, self._options.seconds),
            bootstrap_servers=self._bootstrap_servers,
            topic=self._topic,
            rate="real",
            origin=now,
            on_progress=self._count,
            stop=self._enough,
            client_config={"log_level": 0},
            delivery_timeout_s=_DELIVERY_TIMEOUT_S,
        )

    def _count(self, confirmed: int) -> None:
        self.confirmed = confirmed
