"""Settings about the database."""

from typing import Annotated

from pydantic import Field, SecretStr

from rice_stream.runtime.settings.section import Section


class DatabaseSettings(Section):
    """Where records are stored, how long a failure is retried, and how long records are kept."""

    database_url: SecretStr = SecretStr("sqlite:///rice.db")
    store_retry_s: Annotated[float, Field(ge=0)] = 60.0
    retention_days: Annotated[int | None, Field(ge=32)] = None
