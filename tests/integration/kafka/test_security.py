"""Kafka's security settings against a real broker that asks for them: SSL with client certificates, and each SASL mechanism."""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trustme
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._scram import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from rice_stream.sandbox.stack.guard import GUARD, temporary_directory
from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.sandbox.stack.ports import LOOPBACK, free_ports
from tests.support.databases import Databases
from tests.support.worker_harness import WORK_DEADLINE_S, Deployment
from tests.support.worker_truth import EventMaker, Sender, assert_exact

USER, PASSWORD = "alice", "correct horse battery staple"
PROTOCOLS = ("SSL", "SASL_PLAINTEXT", "SASL_SSL")
_LOGIN = "org.apache.kafka.common.security"
_JAAS = {
    "plain": f'{_LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
    "scram-sha-256": f"{_LOGIN}.scram.ScramLoginModule required;",
    "scram-sha-512": f"{_LOGIN}.scram.ScramLoginModule required;",
    "oauthbearer": f'{_LOGIN}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
}


class SecureKafka(KafkaServer):
    """A broker with one more listener for each protocol, on certificates of an authority of its own."""

    def __init__(self, data_dir: Path, certificates: Path) -> None:
        super().__init__(data_dir)
        self._certificates = certificates
        self.secure_ports = dict(zip(PROTOCOLS, free_ports(len(PROTOCOLS)), strict=True))

    def _properties(self) -> dict[str, str]:
        properties = super()._properties()
        secure = ",".join(f"{protocol}://{LOOPBACK}:{port}" for protocol, port in self.secure_ports.items())
        properties |= {
            "listeners": f"{properties['listeners']},{secure}",
            "advertised.listeners": f"{properties['advertised.listeners']},{secure}",
            "listener.security.protocol.map": ",".join(
                ["PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT", *(f"{name}:{name}" for name in PROTOCOLS)]
            ),
            "group.min.session.timeout.ms": "1000",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._certificates / "broker.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self._certificates / "ca.pem"),
            "listener.name.ssl.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        }
        for listener in ("sasl_plaintext", "sasl_ssl"):
            for mechanism, login in _JAAS.items():
                properties[f"listener.name.{listener}.{mechanism}.sasl.jaas.config"] = login
        return properties

    def add_scram_user(self) -> None:
        """SCRAM's credentials lie in the cluster, not in its settings."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        changes = [
            UserScramCredentialUpsertion(USER, ScramCredentialInfo(mechanism, 4096), PASSWORD.encode())
            for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
        ]
        for mechanism_change in changes:
            for done in admin.alter_user_scram_credentials([mechanism_change]).values():
                done.result(30)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """ca.pem, broker.pem (key and certificate), client.pem and client.key."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    broker = authority.issue_cert(LOOPBACK, "localhost")
    # Kafka reads keys in PKCS#8 only.
    (tmp_path / "broker.pem").write_bytes(pkcs8(broker) + b"".join(blob.bytes() for blob in broker.cert_chain_pems))
    client = authority.issue_cert("client@example.org")
    client.private_key_pem.write_to_path(str(tmp_path / "client.key"))
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    return tmp_path


def pkcs8(certificate: trustme.LeafCert) -> bytes:
    """The private key in the one form that Kafka understands."""
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture
def secure_kafka(certificates: Path) -> Iterator[SecureKafka]:
    directory = temporary_directory("rice-test-secure-")
    with SecureKafka(directory, certificates) as server:
        server.add_scram_user()
        yield server
    GUARD.delete_directory(directory)


def unsecured_token() -> str:
    """A token without a signature, which Kafka's own validator takes for tests."""

    def part(content: Mapping[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    now_s = int(time.time())
    return f"{part({'alg': 'none'})}.{part({'sub': USER, 'iat': now_s - 60, 'exp': now_s + 3600})}."


def ways_in(certificates: Path) -> list[dict[str, object]]:
    """Settings of every way in."""
    ca = {"kafka_ssl_ca_location": certificates / "ca.pem"}
    known = {"kafka_sasl_username": USER, "kafka_sasl_password": PASSWORD}
    client = {
        "kafka_ssl_certificate_location": certificates / "client.pem",
        "kafka_ssl_key_location": certificates / "client.key",
    }
    (certificates / "token").write_text(f"{unsecured_token()}\n")
    return [
        {"kafka_security_protocol": "SSL", **ca, **client},
        {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "PLAIN", **known, **ca},
        {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_sasl_mechanism": "SCRAM-SHA-256", **known},
        {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "SCRAM-SHA-512", **known, **ca},
        {
            "kafka_security_protocol": "SASL_PLAINTEXT",
            "kafka_sasl_mechanism": "OAUTHBEARER",
            "kafka_sasl_oauth_token": unsecured_token(),
        },
        {
            "kafka_security_protocol": "SASL_PLAINTEXT",
            "kafka_sasl_mechanism": "OAUTHBEARER",
            "kafka_sasl_oauth_token_file": certificates / "token",
        },
    ]


def test_workers_get_in_by_every_mechanism_and_not_with_a_wrong_password(
    secure_kafka: SecureKafka, certificates: Path, postgresql: Databases, tmp_path: Path
) -> None:
    """Each way in stores what was sent meanwhile, alert producer and lag probe included; a wrong password or a missing
    certificate ends with exit code 3 and a reason, at once."""
    for topic in ("events", "alerts"):
        secure_kafka.create_topic(topic, 4)
    deployment = Deployment(
        bootstrap_servers=secure_kafka.bootstrap_servers,
        topics=("events",),
        alerts_topic="alerts",
        database_url=postgresql.migrated(),
        folder=tmp_path,
    )
    with closing(deployment):
        sender, make = Sender(deployment), EventMaker(81)
        good = ways_in(certificates)
        unknown_authority = {name: value for name, value in good[3].items() if name != "kafka_ssl_ca_location"}
        kept_out = [
            deployment.start_worker(**at(secure_kafka, settings))
            for settings in ({**good[2], "kafka_sasl_password": "wrong"}, unknown_authority)
        ]
        for settings in good:
            for _ in range(20):
                sender.send_event(make())
            sender.confirm()
            deployment.finish(**at(secure_kafka, settings))
            assert deployment.recorded() == len(sender.truth.events), settings
        for worker in kept_out:
            assert worker.wait(WORK_DEADLINE_S) == 3, worker.log
            assert "Traceback" not in worker.log
            assert "Kafka" in worker.log
        assert_exact(deployment, sender.truth)


def at(kafka: SecureKafka, settings: dict[str, object]) -> dict[str, Any]:
    """The settings with the address of their protocol's listener."""
    port = kafka.secure_ports[str(settings["kafka_security_protocol"])]
    return {**settings, "kafka_bootstrap_servers": f"{LOOPBACK}:{port}"}
