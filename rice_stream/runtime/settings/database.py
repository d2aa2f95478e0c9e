"""Settings about the database."""

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from rice_stream.runtime.settings.section import Section


class DatabaseSettings(Section):
    """Where records are stored, how long a failure is retried, and how long what is kept."""

    database_url: SecretStr = SecretStr("sqlite:///rice.db")
    store_retry_s: Annotated[float, Field(ge=0)] = 60.0
    retention_days: Annotated[int | None, Field(ge=32)] = None
    quarantine_retention_days: Annotated[int | None, Field(ge=1)] = None
    settled_retention_days: Annotated[int, Field(ge=32)] = 400
    retention_clock_confirmed: date | None = None
    archive_warehouse: Path | None = None

    @field_validator("archive_warehouse")
    @classmethod
    def _is_named(cls, folder: Path | None) -> Path | None:
        # Of an empty value, too: the folder that a process happens to be in.
        if folder == Path():
            raise ValueError("must name a folder; leave it out where there is no archive")
        return folder
