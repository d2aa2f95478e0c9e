"""The other end of the alerts topic: what a subscriber of the budgets' changes receives."""

import json
import threading
from datetime import UTC, datetime
from typing import Any

from rice_stream.kafka.config import KafkaConfig
from rice_stream.kafka.following import follow
from rice_stream.sandbox.demo.view import ArrivedAlert


class AlertInbox:
    """Reads the alerts topic from its beginning, all partitions, without a group."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._topic = topic
        self._address = bootstrap_servers
        self._arrived: dict[str, ArrivedAlert] = {}

    @property
    def alerts(self) -> tuple[ArrivedAlert, ...]:
        """Every alert once, however often it was delivered, in the order of arrival."""
        return tuple(self._arrived.values())

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all that has arrived."""
        return frozenset(self._arrived)

    def run(self, stop: threading.Event) -> None:
        """Receive until `stop` is set. ServiceUnavailableError: Kafka gave an error instead of a record."""
        for value in follow(KafkaConfig(self._address), self._topic, "rice-demo-inbox", stop.is_set):
            self._receive(value)

    def _receive(self, value: bytes) -> None:
        alert = parse_alert(json.loads(value), datetime.now(UTC).astimezone())
        self._arrived.setdefault(alert.alert_id, alert)


def parse_alert(event: dict[str, Any], arrived_at: datetime) -> ArrivedAlert:
    """An alert from its CloudEvent."""
    data = event["data"]
    return ArrivedAlert(
        alert_id=event["id"],
        tenant_id=data["tenant_id"],
        budget=data["budget"],
        threshold=data["threshold"],
        state=data["state"],
        ratio=data["ratio"],
        arrived_at=arrived_at,
        delay_s=(arrived_at - datetime.fromisoformat(event["time"])).total_seconds(),
    )
