"""The connection as Faust takes it: which credentials, and errors that name the setting."""

from pathlib import Path

import faust
import pytest
import trustme

from rice_stream.errors import UsageError
from rice_stream.kafka.config import KafkaConfig
from rice_stream.worker.credentials import broker_credentials, broker_urls


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A PEM file with a key and its certificate."""
    path = tmp_path / "client.pem"
    trustme.CA().issue_cert("client").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def test_every_broker_is_reached_through_our_transport() -> None:
    assert broker_urls(KafkaConfig("a:1, b:2")) == "ricechunks://a:1;ricechunks://b:2"


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (KafkaConfig("a:1"), type(None)),
        (KafkaConfig("a:1", "SSL"), faust.SSLCredentials),
        (KafkaConfig("a:1", "SASL_SSL", "PLAIN", "user", "password"), faust.SASLCredentials),
        (KafkaConfig("a:1", "SASL_PLAINTEXT", "OAUTHBEARER", sasl_oauth_token="token"), faust.OAuthCredentials),
    ],
)
def test_credentials_are_of_the_kind_that_the_protocol_asks_for(config: KafkaConfig, kind: type) -> None:
    assert isinstance(broker_credentials(config), kind)


def test_a_client_certificate_is_loaded(certificate: Path) -> None:
    config = KafkaConfig("a:1", "SSL", ssl_certificate_location=certificate)
    assert isinstance(broker_credentials(config), faust.SSLCredentials)


def test_a_file_that_is_missing_is_named_by_its_setting() -> None:
    """Exit code 2, as for the other clients."""
    with pytest.raises(UsageError, match="RICE_KAFKA_SSL_CA_LOCATION: cannot read"):
        broker_credentials(KafkaConfig("a:1", "SSL", ssl_ca_location=Path("/nowhere/ca.pem")))


def test_a_file_without_a_certificate_is_named_by_its_setting(tmp_path: Path) -> None:
    path = tmp_path / "empty.pem"
    path.write_text("no certificate")
    with pytest.raises(UsageError, match="RICE_KAFKA_SSL_CA_LOCATION: "):
        broker_credentials(KafkaConfig("a:1", "SSL", ssl_ca_location=path))
    with pytest.raises(UsageError, match="RICE_KAFKA_SSL_CERTIFICATE_LOCATION, "):
        broker_credentials(KafkaConfig("a:1", "SSL", ssl_certificate_location=path))
