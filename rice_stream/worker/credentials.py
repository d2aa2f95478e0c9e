"""The connection to Kafka as Faust and aiokafka take it."""

import ssl
from typing import Any

import faust
from aiokafka.abc import AbstractTokenProvider

from rice_stream.errors import UsageError
from rice_stream.kafka.config import KafkaConfig


def broker_urls(config: KafkaConfig) -> str:
    """The brokers' addresses, to be reached through our transport."""
    return ";".join(f"ricechunks://{server.strip()}" for server in config.bootstrap_servers.split(","))


def broker_credentials(config: KafkaConfig) -> Any:
    """Faust's credentials; None for a plain connection. UsageError: a setting is missing or wrong."""
    config.check()
    context = _ssl_context(config) if config.uses_tls else None
    if not config.uses_sasl:
        return None if context is None else faust.SSLCredentials(context=context)
    if config.sasl_mechanism == "OAUTHBEARER":
        return faust.OAuthCredentials(oauth_cb=_TokenProvider(config), ssl_context=context)
    return faust.SASLCredentials(
        username=config.sasl_username,
        password=config.sasl_password,
        mechanism=config.sasl_mechanism,
        ssl_context=context,
    )


class _TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """aiokafka asks for the token at every connection."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config

    async def token(self) -> str:
        return self._config.oauth_token()

    def extensions(self) -> dict[str, str]:
        return {}


def _ssl_context(config: KafkaConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=config.ssl_ca_location)
    except ssl.SSLError as error:
        raise UsageError(f"RICE_KAFKA_SSL_CA_LOCATION: {config.ssl_ca_location} cannot be used: {error}") from error
    if config.ssl_certificate_location:
        try:
            context.load_cert_chain(
                config.ssl_certificate_location,
                config.ssl_key_location,
                # Without a password OpenSSL would ask for it on the terminal.
                config.ssl_key_password or "",
            )
        except ssl.SSLError as error:
            raise UsageError(
                "RICE_KAFKA_SSL_CERTIFICATE_LOCATION, RICE_KAFKA_SSL_KEY_LOCATION, RICE_KAFKA_SSL_KEY_PASSWORD:"
                f" {config.ssl_certificate_location} cannot be used: {error}"
            ) from error
    return context
