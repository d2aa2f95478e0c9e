"""What is answered of exported files: the manifest."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from rice_stream.api.document.shapes import Answer


class ExportQuery(Answer):
    """What was asked."""

    kind: str
    tenant_id: str
    month: str
    format: str
    options: dict[str, Any]


class ExportScope(Answer):
    """Whose amounts are in the file; no teams: all of them."""

    tenants: list[str]
    teams: list[str]


class ExportWindow(Answer):
    """The month."""

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"))

    from_: str
    to: str
    time_zone: str


class ExportPeriod(Answer):
    """How the month stood."""

    state: Literal["open", "closing", "soft_closed", "closed"]
    root: str | None = Field(description="hexadecimal")
    checkpoint: str | None = Field(description="the signed note")


class ExportVersions(Answer):
    """A method and the tables of factors, and how many prompts rest on them."""

    method_version: str
    factor_version: str
    prompts: int


class ExportedFile(Answer):
    """The bytes."""

    name: str
    rows: int
    bytes: int
    sha256: str


class ExportManifest(Answer):
    """What makes the file again, and by what it is known that it is the same. Totals are whole numbers as text."""

    manifest: str
    query: ExportQuery
    scope: ExportScope
    as_of: str
    window: ExportWindow
    period: ExportPeriod
    rests_on: list[ExportVersions]
    factors_sha256: str
    totals: dict[str, str]
    file: ExportedFile
    content_sha256: str
    made_with: dict[str, str]
