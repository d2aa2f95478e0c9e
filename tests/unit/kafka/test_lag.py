"""How far a group is behind, asked of brokers that have only just started."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

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

    def get_watermark_offsets(self, _partition: TopicPartition, **_: Any) -> tuple[int, int]:
        """From the first record to the end."""
        return 0, 10


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> LagProbe:
    """Of one topic of one partition; without a pause between tries."""
    monkeypatch.setattr(lag, "partitions_of", lambda *_: [0])
    monkeypatch.setattr(lag, "_PAUSE_S", 0.001)
    return LagProbe(KafkaConfig("127.0.0.1:1"), "group", ["events"])


def test_it_waits_until_brokers_agree_on_who_keeps_the_offsets(probe: LagProbe) -> None:
    """They answer with errors in their first seconds, each of which ends by itself."""
    probe._consumer = Broker(
        KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE
    )
    assert probe.lag() == {("events", 0): 6}


def test_it_waits_no_longer_than_it_may_and_for_nothing_else(probe: LagProbe) -> None:
    """What does not end by itself, such as a group that may not be read, is told at once."""
    probe._consumer = Broker(*[KafkaError.NOT_COORDINATOR] * 10_000)
    with pytest.raises(ServiceUnavailableError, match="Not coordinator"):
        probe.lag(timeout_s=0.05)
    broker = probe._consumer = Broker(KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.NOT_COORDINATOR)
    with pytest.raises(ServiceUnavailableError, match="Group authorization failed"):
        probe.lag()
    assert len(broker.errors) == 1
