"""Kafka clients, made in one place: every producer, consumer and admin client of librdkafka is configured here.

What all clients of a kind share stands here; what one purpose needs beyond that is passed as `options`, by librdkafka's
names. The worker's own consumer is Faust's (`worker.faust_transport`).
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.events.records import RawRecord
from rice_stream.kafka.config import KafkaConfig

TIMEOUT_S = 10.0

Client = TypeVar("Client")

_LOG_CRITICAL = 2
"""librdkafka writes what is critical to stderr and nothing below: what fails is raised, with its reason."""
_TOKEN_EXPIRY_S = 2**40
"""A bearer token that is a setting is fixed; its real expiry is the broker's to enforce."""
_TOKEN_FILE_HOLDS_S = 60.0
"""After how long librdkafka asks anew what is in a file (a little before that)."""
_SETTINGS = {
    "security.protocol": "RICE_KAFKA_SECURITY_PROTOCOL",
    "sasl.mechanism": "RICE_KAFKA_SASL_MECHANISM",
    "ssl.ca.location": "RICE_KAFKA_SSL_CA_LOCATION",
    "ssl.certificate.location": "RICE_KAFKA_SSL_CERTIFICATE_LOCATION",
    "ssl.key.location": "RICE_KAFKA_SSL_KEY_LOCATION",
    "ssl.key.password": "RICE_KAFKA_SSL_KEY_PASSWORD",
}
"""librdkafka's name of an option in its messages -> the setting that it came from."""


def open_producer(config: KafkaConfig, options: Mapping[str, Any], *, logger: logging.Logger) -> Producer:
    """A producer whose records all in-sync replicas confirm; retries inside it neither duplicate nor reorder.

    UsageError: a setting is missing or wrong.
    """
    shared = {"acks": "all", "enable.idempotence": True, "compression.type": "lz4", "log_level": _LOG_CRITICAL}
    return _made(lambda made_of: Producer(made_of, logger=logger), config, shared | dict(options))


def open_consumer(config: KafkaConfig, group_id: str, options: Mapping[str, Any] | None = None) -> Consumer:
    """A consumer that joins no group and commits nothing: partitions are assigned to it by its user.

    `group_id` is the group whose offsets may be asked, and the name that the broker's access rules see.
    UsageError: a setting is missing or wrong.
    """
    shared = {"group.id": group_id, "enable.auto.commit": False, "log_level": _LOG_CRITICAL}
    return _made(Consumer, config, shared | dict(options or {}))


def open_admin(config: KafkaConfig, options: Mapping[str, Any] | None = None) -> AdminClient:
    """A client that asks about topics and groups. UsageError: a setting is missing or wrong."""
    return _made(AdminClient, config, {"log_level": _LOG_CRITICAL} | dict(options or {}))


def _made(make: Callable[[dict[str, Any]], Client], config: KafkaConfig, options: dict[str, Any]) -> Client:
    config.check()
    try:
        return make(connection_options(config) | options)
    except (KafkaException, TypeError, ValueError) as error:
        text = reason(error)
        named = [setting for option, setting in _SETTINGS.items() if option in text]
        raise UsageError(f"Kafka client settings: {text}{f'; correct {named[0]}' if named else ''}") from error


def connection_options(config: KafkaConfig) -> dict[str, Any]:
    """The connection by librdkafka's names."""
    options: dict[str, Any] = {
        "bootstrap.servers": config.bootstrap_servers,
        "security.protocol": config.security_protocol,
        "sasl.mechanism": config.sasl_mechanism,
        "sasl.username": config.sasl_username,
        "sasl.password": config.sasl_password,
        "ssl.ca.location": config.ssl_ca_location and str(config.ssl_ca_location),
        "ssl.certificate.location": config.ssl_certificate_location and str(config.ssl_certificate_location),
        "ssl.key.location": config.ssl_key_location and str(config.ssl_key_location),
        "ssl.key.password": config.ssl_key_password,
    }
    if config.sasl_oauth_token_file is not None:
        options["oauth_cb"] = lambda _config: (config.oauth_token(), time.time() + _TOKEN_FILE_HOLDS_S)
    elif config.sasl_oauth_token is not None:
        options["oauth_cb"] = lambda _config: (config.oauth_token(), _TOKEN_EXPIRY_S)
    return {name: value for name, value in options.items() if value is not None}


def reason(error: Exception) -> str:
    """The text of a client's error, without its wrapper."""
    inner = error.args[0] if error.args else error
    return inner.str() if isinstance(inner, KafkaError) else str(error)


def no_answer(config: KafkaConfig, error: KafkaException) -> ServiceUnavailableError:
    """The error to raise when no broker answers, with what to look at."""
    return ServiceUnavailableError(
        f"no Kafka broker answers at {config.bootstrap_servers} ({reason(error)}); check"
        " RICE_KAFKA_BOOTSTRAP_SERVERS and the RICE_KAFKA_* security settings"
    )


def partitions_of(client: Any, topic: str, timeout_s: float = TIMEOUT_S) -> list[int]:
    """The numbers of a topic's partitions, ascending. KafkaException: no answer, or no such topic."""
    metadata = client.list_topics(topic, timeout=timeout_s).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    return sorted(metadata.partitions)


def describe_topics(config: KafkaConfig, topics: Sequence[str], timeout_s: float = TIMEOUT_S) -> dict[str, int | None]:
    """How many partitions each topic has, None for one that does not exist.

    ServiceUnavailableError: no broker answers. UsageError: a setting is missing or wrong.
    """
    client = open_admin(config)
    try:
        known = client.list_topics(timeout=timeout_s).topics
    except KafkaException as error:
        raise no_answer(config, error) from error
    return {topic: len(known[topic].partitions) if topic in known else None for topic in topics}


def raw_record(message: Any) -> RawRecord:
    """A message of librdkafka's client as the decoders take it; the same as the worker's own client makes of it."""
    kind, timestamp_ms = message.timestamp()
    return RawRecord(
        message.topic(),
        message.partition(),
        message.offset(),
        message.value(),
        tuple(message.headers() or ()),
        timestamp_ms * 1000 if kind != TIMESTAMP_NOT_AVAILABLE and timestamp_ms > 0 else None,
        message.key(),
    )
