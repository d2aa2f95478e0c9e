"""How far a group is behind, asked of brokers that have only just started."""

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import OFFSET_END, KafkaError, KafkaException, TopicPartition

from rice_stream.errors import ServiceUnavailableError
from rice_stream.kafka import lag
from rice_stream.kafka.config import KafkaConfig
from rice_stream.kafka.lag import LagProbe


class Broker:
    """Answers a consumer: what is committed after these errors, with 10 records in the only partition."""

    def __init__(self, *errors: int) -> None:
        self.errors = list(errors)

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        """The offset 4, or the next error."""
        assert timeout > 0
        if self.errors:
            raise KafkaException(KafkaError(self.errors.pop(0)))
        return [TopicPartition(each.topic, each.partition, 4) for each in partitions]

    def offsets_for_times(self, partitions: list[TopicPartition], **_: Any) -> list[TopicPartition]:
        """From the first record to the end."""
        return [
            TopicPartition(each.topic, each.partition, 10 if each.offset == OFFSET_END else 0) for each in partitions
        ]


Ask = Callable[[Broker, float], dict[tuple[str, int], int]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Asks a broker for the lag on one topic of one partition; without a pause between tries."""
    monkeypatch.setattr(lag, "partitions_of", lambda *_: [0])
    monkeypatch.setattr(lag, "_PAUSE_S", 0.001)
    probe = LagProbe(KafkaConfig("127.0.0.1:1"), "group", ["events"])

    def asked(broker: Broker, timeout_s: float) -> dict[tuple[str, int], int]:
        monkeypatch.setattr(probe, "_consumer", broker)
        return probe.lag(timeout_s)

    return asked


def test_it_waits_until_brokers_agree_on_who_keeps_the_offsets(ask: Ask) -> None:
    """They answer with errors in their first seconds, each of which ends by itself."""
    broker = Broker(
        KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE
    )
    assert ask(broker, 10) == {("events", 0): 6}


def test_it_waits_no_longer_than_it_may_and_for_nothing_else(ask: Ask) -> None:
    """What does not end by itself, such as a group that may not be read, is told at once."""
    with pytest.raises(ServiceUnavailableError, match="Not coordinator"):
        ask(Broker(*[KafkaError.NOT_COORDINATOR] * 10_000), 0.05)
    broker = Broker(KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.NOT_COORDINATOR)
    with pytest.raises(ServiceUnavailableError, match="Group authorization failed"):
        ask(broker, 10)
    assert len(broker.errors) == 1
