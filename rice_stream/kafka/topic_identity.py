"""Whether a topic is still the one that it was: deleted and made again, it has its name and other records."""

from collections.abc import Sequence

from confluent_kafka import KafkaException, TopicCollection

from rice_stream.errors import ServiceUnavailableError
from rice_stream.kafka.client import TIMEOUT_S, open_admin, reason
from rice_stream.kafka.config import KafkaConfig


class TopicIdentity:
    """Remembers the broker's id of each topic. A worker's position may lie within a log that was made again meanwhile: no
    offset tells that, and what lies before it would never be read."""

    def __init__(self, config: KafkaConfig, topics: Sequence[str]) -> None:
        self._admin = open_admin(config)
        self._topics = tuple(topics)
        self._ids: dict[str, str] = {}

    def made_again(self, timeout_s: float = TIMEOUT_S) -> list[str]:
        """Topics with another id than when they were last asked for; at first, none. A topic that is not there is waited for.

        ServiceUnavailableError: no answer.
        """
        try:
            answers = self._admin.describe_topics(TopicCollection(list(self._topics)), request_timeout=timeout_s)
        except KafkaException as error:
            raise ServiceUnavailableError(f"Kafka did not describe the topics: {reason(error)}") from error
        changed = []
        for topic, answer in answers.items():
            try:
                found = str(answer.result().topic_id)
            except KafkaException:
                continue  # not there at the moment, or not to be described: the worker's own reading tells
            if self._ids.setdefault(topic, found) != found:
                changed.append(topic)
                self._ids[topic] = found
        return changed
