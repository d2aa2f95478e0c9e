"""The connection to Kafka from the settings."""

from pathlib import Path

from rice_stream.kafka.config import KafkaConfig
from rice_stream.runtime.opening_kafka import kafka_config
from rice_stream.runtime.settings.loading import load_settings


def test_every_connection_setting_reaches_the_config() -> None:
    """Each by its own value, secrets revealed."""
    environment = {
        "RICE_KAFKA_BOOTSTRAP_SERVERS": "a:1,b:2",
        "RICE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "RICE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "RICE_KAFKA_SASL_USERNAME": "user",
        "RICE_KAFKA_SASL_PASSWORD": "password",
        "RICE_KAFKA_SASL_OAUTH_TOKEN": "token",
        "RICE_KAFKA_SASL_OAUTH_TOKEN_FILE": "/run/token",
        "RICE_KAFKA_SSL_CA_LOCATION": "/etc/ca.pem",
        "RICE_KAFKA_SSL_CERTIFICATE_LOCATION": "/etc/certificate.pem",
        "RICE_KAFKA_SSL_KEY_LOCATION": "/etc/key.pem",
        "RICE_KAFKA_SSL_KEY_PASSWORD": "key-password",
    }
    assert kafka_config(load_settings(environment=environment)) == KafkaConfig(
        bootstrap_servers="a:1,b:2",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="user",
        sasl_password="password",
        sasl_oauth_token="token",
        sasl_oauth_token_file=Path("/run/token"),
        ssl_ca_location=Path("/etc/ca.pem"),
        ssl_certificate_location=Path("/etc/certificate.pem"),
        ssl_key_location=Path("/etc/key.pem"),
        ssl_key_password="key-password",
    )
