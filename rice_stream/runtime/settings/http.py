"""Settings about HTTP: where it is served, by whom it may be used, and how much of it."""

from typing import Annotated

from pydantic import Field, SecretStr

from rice_stream.runtime.settings.section import Section


class HttpSettings(Section):
    """`RICE_HTTP_*` of `rice-stream serve`, and the port of the worker's health and metrics."""

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    http_token: SecretStr | None = None
    http_topic: str | None = None
    http_body_max_bytes: Annotated[int, Field(ge=1_024, le=16_777_216)] = 1_000_000
    http_requests_per_s: Annotated[float, Field(gt=0)] = 1_000.0
    http_delivery_timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    worker_http_port: Annotated[int, Field(ge=0, le=65_535)] = 6066
