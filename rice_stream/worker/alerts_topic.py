"""The alerts topic, through Faust's producer."""

import faust
from aiokafka.errors import KafkaError

from rice_stream.errors import ServiceUnavailableError


class AlertsTopic:
    """Publishes alerts under the tenant as key, so that a tenant's alerts keep their order."""

    def __init__(self, app: faust.App, name: str) -> None:
        self._topic = app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def publish(self, key: str, value: bytes) -> None:
        """Returns when the broker has confirmed. ServiceUnavailableError: it has not."""
        try:
            await (await self._topic.send(key=key.encode(), value=value))
        except (KafkaError, faust.exceptions.FaustError, OSError) as error:
            raise ServiceUnavailableError(f"Kafka did not take an alert: {error or type(error).__name__}") from error
