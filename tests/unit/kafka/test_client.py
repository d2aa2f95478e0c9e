"""Making Kafka clients: in one place, with the options that all share, and with errors that name the setting."""

import ast
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.kafka import client
from rice_stream.kafka.client import connection_options, describe_topics, open_admin, open_consumer, open_producer
from rice_stream.kafka.config import KafkaConfig
from rice_stream.kafka.producer import EventProducer, NotTakenError
from tests.support.places import ROOT

NOBODY = KafkaConfig("127.0.0.1:1")
LOG = logging.getLogger(__name__)
MAKERS: dict[str, Callable[[KafkaConfig], Any]] = {
    "producer": lambda config: open_producer(config, {}, logger=LOG),
    "consumer": lambda config: open_consumer(config, "group"),
    "admin": open_admin,
    "topics": lambda config: describe_topics(config, ["t"]),
}


def test_clients_get_the_connection_by_their_own_names() -> None:
    config = KafkaConfig(
        "kafka:9092",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="u",
        sasl_password="p",
        ssl_ca_location=Path("/etc/ca.pem"),
    )
    assert connection_options(config) == {
        "bootstrap.servers": "kafka:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": "p",
        "ssl.ca.location": "/etc/ca.pem",
    }


def test_a_bearer_token_is_handed_over_when_it_is_asked_for() -> None:
    """Its expiry is the broker's to enforce: the client is told a time that never comes."""
    token, expiry_s = connection_options(KafkaConfig("kafka:9092", sasl_oauth_token="abc"))["oauth_cb"]("")
    assert (token, expiry_s > 4e9) == ("abc", True)


def test_a_bearer_token_of_a_file_is_read_anew_within_a_minute(tmp_path: Path) -> None:
    """librdkafka asks again before the time that it is told."""
    (tmp_path / "token").write_text("abc\n")
    config = KafkaConfig("kafka:9092", sasl_oauth_token_file=tmp_path / "token")
    token, expiry_s = connection_options(config)["oauth_cb"]("")
    assert (token, 0 < expiry_s - time.time() <= 60) == ("abc", True)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_file_that_is_missing_is_named_by_its_setting(maker: str) -> None:
    """Exit code 2 whichever client is made; not an internal error."""
    config = KafkaConfig("127.0.0.1:1", security_protocol="SSL", ssl_ca_location=Path("/nowhere/ca.pem"))
    with pytest.raises(UsageError, match=r"RICE_KAFKA_SSL_CA_LOCATION: cannot read /nowhere/ca.pem"):
        MAKERS[maker](config)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_file_that_the_client_cannot_use_is_named_by_its_setting(maker: str, tmp_path: Path) -> None:
    """It is there, but there is no certificate in it: only librdkafka finds out."""
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    config = KafkaConfig("127.0.0.1:1", security_protocol="SSL", ssl_ca_location=path)
    with pytest.raises(UsageError, match="correct RICE_KAFKA_SSL_CA_LOCATION"):
        MAKERS[maker](config)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_user_that_is_missing_is_named_by_its_setting(maker: str) -> None:
    with pytest.raises(UsageError, match=r"RICE_KAFKA_SASL_USERNAME: .*RICE_KAFKA_SASL_PASSWORD: "):
        MAKERS[maker](KafkaConfig("127.0.0.1:1", security_protocol="SASL_SSL", sasl_mechanism="PLAIN"))


def test_topics_of_a_broker_that_does_not_answer() -> None:
    """Exit code 3, the address, and the settings to look at."""
    with pytest.raises(ServiceUnavailableError, match=r"at 127.0.0.1:1 .*RICE_KAFKA_BOOTSTRAP_SERVERS"):
        describe_topics(NOBODY, ["t"], timeout_s=0.2)


def test_what_a_purpose_asks_for_comes_after_what_all_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Producers wait for all replicas; consumers commit nothing; an option that is passed wins."""
    made: list[dict[str, Any]] = []

    def keep(options: dict[str, Any], **_: object) -> None:
        made.append(options)

    for name in ("Producer", "Consumer", "AdminClient"):
        monkeypatch.setattr(client, name, keep)
    open_producer(NOBODY, {"linger.ms": 5}, logger=LOG)
    open_consumer(NOBODY, "group", {"log_level": 0})
    open_admin(NOBODY)
    producer, consumer, admin = made
    assert (producer["acks"], producer["enable.idempotence"], producer["linger.ms"]) == ("all", True, 5)
    assert (consumer["group.id"], consumer["enable.auto.commit"], consumer["log_level"]) == ("group", False, 0)
    assert (admin["bootstrap.servers"], admin["log_level"]) == ("127.0.0.1:1", 2)


def test_a_record_that_is_too_large_is_refused_and_the_queue_is_counted() -> None:
    producer = EventProducer(NOBODY, {"message.max.bytes": 1000, "log_level": 0}, logger=LOG)
    producer.send("t", b"x", None)
    with pytest.raises(NotTakenError, match="too large"):
        producer.send("t", b"x" * 2000, "key")
    assert len(producer) > 0
    producer.purge()
    assert producer.flush(5) == 0


def test_what_became_of_a_record_is_told_in_words() -> None:
    told: list[str | None] = []
    producer = EventProducer(NOBODY, {"message.timeout.ms": 10, "linger.ms": 1, "log_level": 0}, logger=LOG)
    producer.send("t", b"x", None, told.append)
    assert producer.flush(20) == 0
    assert len(told) == 1
    assert "timed out" in (told[0] or "")


def test_no_client_is_made_anywhere_else() -> None:
    """`rice_stream.kafka.client` is the one place that knows how a client is configured."""
    makers = {"Producer", "Consumer", "AdminClient"}
    modules = [path for path in (ROOT / "rice_stream").rglob("*.py") if path.parts[-2:] != ("kafka", "client.py")]
    calls = (
        (path.name, node.lineno, node.func.id)
        for path in modules
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    )
    assert [call for call in calls if call[2] in makers] == []
