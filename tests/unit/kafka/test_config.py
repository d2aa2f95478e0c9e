"""The connection as plain values: what is missing is named by its setting, and secrets are not shown."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from rice_stream.errors import UsageError
from rice_stream.kafka.config import KafkaConfig


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"security_protocol": "SASL_SSL"}, ["SASL_MECHANISM"]),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}, ["SASL_USERNAME", "SASL_PASSWORD"]),
        (
            {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "u"},
            ["SASL_PASSWORD"],
        ),
        ({"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER"}, ["SASL_OAUTH_TOKEN_FILE"]),
        ({"security_protocol": "SSL", "ssl_ca_location": Path("/nowhere/ca.pem")}, ["SSL_CA_LOCATION"]),
        (
            {
                "security_protocol": "SASL_SSL",
                "ssl_certificate_location": Path("/nowhere/c.pem"),
                "ssl_key_location": Path("/nowhere/k.pem"),
            },
            ["SASL_MECHANISM", "SSL_CERTIFICATE_LOCATION", "SSL_KEY_LOCATION"],
        ),
    ],
)
def test_every_setting_that_is_missing_is_named_in_one_error(values: dict[str, object], named: list[str]) -> None:
    """Exit code 2, all problems at once, each by the name that the user knows."""
    with pytest.raises(UsageError) as caught:
        KafkaConfig("localhost:9092", **values).check()  # type: ignore[arg-type]
    assert re.findall(r"RICE_KAFKA_(\w+): ", str(caught.value)) == named


def test_a_token_is_read_from_its_file_whenever_it_is_asked_for(tmp_path: Path) -> None:
    """Another process renews it. An empty or missing file is named at the start, and so are a token and a file at once."""
    file = tmp_path / "token"
    config = KafkaConfig("a:1", "SASL_SSL", "OAUTHBEARER", sasl_oauth_token_file=file)
    for content, problem in ((None, "cannot read"), ("\n", "is empty")):
        if content is not None:
            file.write_text(content)
        with pytest.raises(UsageError, match=f"RICE_KAFKA_SASL_OAUTH_TOKEN_FILE: .*{problem}"):
            config.check()
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        config.check()
        assert config.oauth_token() == token
    with pytest.raises(UsageError, match="one of the two"):
        replace(config, sasl_oauth_token="third").check()


def test_what_the_protocol_does_not_use_is_not_asked_for() -> None:
    """A plain connection needs no files, even where their settings name some."""
    KafkaConfig("localhost:9092", ssl_ca_location=Path("/nowhere/ca.pem"), sasl_mechanism="PLAIN").check()


def test_no_secret_is_in_the_text_of_a_config() -> None:
    secrets = {"sasl_password": "secret-1", "sasl_oauth_token": "secret-2", "ssl_key_password": "secret-3"}
    assert "secret" not in repr(KafkaConfig("localhost:9092", **secrets))  # type: ignore[arg-type]
