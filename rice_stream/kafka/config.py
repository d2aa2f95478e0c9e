"""The connection to Kafka as plain values, and what must hold between them. Imports no client."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rice_stream.errors import UsageError


@dataclass(frozen=True, slots=True)
class KafkaConfig:
    """Where the brokers are and how to sign in. `runtime.opening_kafka.kafka_config` makes it from the settings.

    `bootstrap_servers`: `host:port`, several with commas. `security_protocol` and `sasl_mechanism`: as Kafka names them.
    The mechanism is needed, and used, only when the protocol begins with SASL.
    """

    bootstrap_servers: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    sasl_oauth_token: str | None = field(default=None, repr=False)
    sasl_oauth_token_file: Path | None = None
    ssl_ca_location: Path | None = None
    ssl_certificate_location: Path | None = None
    ssl_key_location: Path | None = None
    ssl_key_password: str | None = field(default=None, repr=False)

    @property
    def uses_sasl(self) -> bool:
        """Whether the brokers ask for a user or a token."""
        return self.security_protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    def oauth_token(self) -> str:
        """The bearer token of now: a file is read each time, because another process renews what is in it.

        OSError: the file cannot be read.
        """
        if self.sasl_oauth_token_file is not None:
            return self.sasl_oauth_token_file.read_text("utf-8").strip()
        return self.sasl_oauth_token or ""

    def check(self) -> None:
        """Whether clients can be made of it. UsageError names every setting that is missing or cannot be read."""
        problems = [*self._sasl_problems(), *self._tls_problems()]
        if problems:
            raise UsageError("; ".join(problems))

    def _sasl_problems(self) -> Iterator[str]:
        if not self.uses_sasl:
            return
        because = f"is needed with RICE_KAFKA_SECURITY_PROTOCOL={self.security_protocol}"
        if self.sasl_mechanism is None:
            yield f"RICE_KAFKA_SASL_MECHANISM: {because}"
        elif self.sasl_mechanism == "OAUTHBEARER":
            yield from self._token_problems()
        else:
            because = f"is needed with RICE_KAFKA_SASL_MECHANISM={self.sasl_mechanism}"
            if not self.sasl_username:
                yield f"RICE_KAFKA_SASL_USERNAME: {because}"
            if not self.sasl_password:
                yield f"RICE_KAFKA_SASL_PASSWORD: {because}"

    def _token_problems(self) -> Iterator[str]:
        path = self.sasl_oauth_token_file
        if (path is None) == (not self.sasl_oauth_token):
            yield (
                "RICE_KAFKA_SASL_OAUTH_TOKEN, RICE_KAFKA_SASL_OAUTH_TOKEN_FILE: one of the two is needed with"
                " RICE_KAFKA_SASL_MECHANISM=OAUTHBEARER"
            )
        try:
            if path is not None and not self.oauth_token():
                yield f"RICE_KAFKA_SASL_OAUTH_TOKEN_FILE: {path} is empty; put a token into it"
        except OSError as error:
            yield f"RICE_KAFKA_SASL_OAUTH_TOKEN_FILE: cannot read {path} ({error.strerror})"

    def _tls_problems(self) -> Iterator[str]:
        if not self.uses_tls:
            return
        files = {
            "RICE_KAFKA_SSL_CA_LOCATION": self.ssl_ca_location,
            "RICE_KAFKA_SSL_CERTIFICATE_LOCATION": self.ssl_certificate_location,
            "RICE_KAFKA_SSL_KEY_LOCATION": self.ssl_key_location,
        }
        for name, path in files.items():
            try:
                if path is not None:
                    path.open("rb").close()
            except OSError as error:
                yield f"{name}: cannot read {path} ({error.strerror}); name a PEM file"
