"""Settings about Kafka: the broker, how to log in to it, the consumer group and the topics."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from rice_stream.runtime.settings.section import CommaList, Section


class KafkaSettings(Section):
    """`RICE_KAFKA_*`, `RICE_EVENTS_TOPICS` and `RICE_ALERTS_TOPIC`."""

    kafka_bootstrap_servers: str = "localhost:9092"
    kafka_group_id: str = "rice-stream"
    events_topics: Annotated[CommaList, Field(min_length=1)] = ("llm-requests",)
    alerts_topic: str = "carbon-alerts"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_sasl_oauth_token: SecretStr | None = None
    kafka_sasl_oauth_token_file: Path | None = None
    kafka_ssl_ca_location: Path | None = None
    kafka_ssl_certificate_location: Path | None = None
    kafka_ssl_key_location: Path | None = None
    kafka_ssl_key_password: SecretStr | None = None
    kafka_session_timeout_s: Annotated[float, Field(ge=1, le=300)] = 6.0
    kafka_fetch_max_bytes: Annotated[int, Field(ge=65_536)] = 2 * 1024 * 1024
