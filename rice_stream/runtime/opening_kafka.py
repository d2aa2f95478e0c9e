"""The connection to Kafka from the settings."""

from pydantic import SecretStr

from rice_stream.kafka.config import KafkaConfig
from rice_stream.runtime.settings.settings import Settings


def kafka_config(settings: Settings) -> KafkaConfig:
    """The connection that all clients share; they check it when they are made."""
    return KafkaConfig(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        security_protocol=settings.kafka_security_protocol,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        sasl_username=settings.kafka_sasl_username,
        sasl_password=_revealed(settings.kafka_sasl_password),
        sasl_oauth_token=_revealed(settings.kafka_sasl_oauth_token),
        sasl_oauth_token_file=settings.kafka_sasl_oauth_token_file,
        ssl_ca_location=settings.kafka_ssl_ca_location,
        ssl_certificate_location=settings.kafka_ssl_certificate_location,
        ssl_key_location=settings.kafka_ssl_key_location,
        ssl_key_password=_revealed(settings.kafka_ssl_key_password),
    )


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
