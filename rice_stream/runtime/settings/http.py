"""Settings about HTTP: where it is served, by whom it may be used, and how much of it."""

import ipaddress
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from rice_stream.runtime.settings.section import CommaList, Section


def _origin(value: str) -> str:
    """`https://rice.example`, without a slash at its end."""
    parts = urlsplit(value.rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query or parts.fragment:
        raise ValueError("must be https://HOST or https://HOST:PORT, without a path")
    if parts.username or parts.password:
        raise ValueError("must not hold a name or a password")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise ValueError(f"must be a comma list of addresses and networks, such as 10.0.0.0/8: {error}") from error
    return value


class HttpSettings(Section):
    """`RICE_HTTP_*` of `rice-stream serve`, and the port of the worker's health and metrics."""

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    http_token: SecretStr | None = None
    http_topic: str | None = None
    http_body_max_bytes: Annotated[int, Field(ge=1_024, le=16_777_216)] = 1_000_000
    http_requests_per_s: Annotated[float, Field(gt=0)] = 1_000.0
    http_delivery_timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    http_public_url: Annotated[str, AfterValidator(_origin)] | None = None
    http_tls_certificate: Path | None = None
    http_tls_key: Path | None = None
    http_trusted_proxies: Annotated[CommaList, AfterValidator(_networks)] = ()
    worker_http_port: Annotated[int, Field(ge=0, le=65_535)] = 6066
