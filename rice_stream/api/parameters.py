"""Query parameters: what each may be. A parameter that a route does not know is an error and never left out silently."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from rice_stream.quantities import NAME_LENGTH_MAX, is_storable
from rice_stream.reports.moments import moment_of
from rice_stream.reports.name_filter import NAME_FIELDS, NameFilter

ROWS_MAX = 1_000
ROWS_DEFAULT = 100
NOT_STORABLE = "must have no NUL and no half of a surrogate pair"


class Parameters(BaseModel):
    """The parameters of one route."""

    # Not built late, as bodies are: FastAPI hands pydantic the name of the route's argument as an alias that has no effect, and
    # silences what pydantic says of it only while routes are made.
    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    @field_validator("*")
    @classmethod
    def _is_storable(cls, value: object) -> object:
        """Nothing is called what no database can hold: to ask for it is a mistake, and no reason to fail."""
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not is_storable(text):
                raise ValueError(NOT_STORABLE)
        return value

    def filters(self) -> dict[str, Any]:
        """Everything that narrows the list, and nothing that pages through it."""
        return self.model_dump(exclude={"after", "limit"}, exclude_none=True, mode="json")


_Names = Annotated[list[Annotated[str, Field(max_length=NAME_LENGTH_MAX)]], Field(default_factory=list, max_length=50)]


class NameParameters(Parameters):
    """Names that an answer is narrowed to: any of those that are given of a field; an empty one is where there is none."""

    team: _Names
    project: _Names
    cost_centre: _Names
    user: _Names
    model: _Names
    provider: _Names
    region: _Names

    @property
    def where(self) -> NameFilter:
        """The filter of these names."""
        return NameFilter.of({field: getattr(self, field) for field in NAME_FIELDS})


class ServedFields(BaseModel):
    """Where, by whom and how a described request is served: a part of parameters and of bodies.

    `meter.described` has the limits.
    """

    provider: str | None = None
    region: str | None = None
    pue: float | None = None
    rci_gco2e_per_kwh: float | None = None
    hardware: str | None = None
    devices: float | None = None
    batch_size: float | None = None
    precision: str | None = None
    profile: str | None = None


class Page(Parameters):
    """The parameters of a list in pages."""

    limit: int = Field(ROWS_DEFAULT, ge=1, le=ROWS_MAX, description="How many rows at most")
    after: str | None = Field(None, max_length=2_000, description="`next` of the page before")


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return moment_of(value)
    except ValueError as error:
        raise ValueError("must be a date such as 2026-11-22, or an RFC 3339 instant") from error


Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
RowId = Annotated[int, Field(ge=1, lt=2**63)]
"""What the database has numbered: it has numbers of 64 bits."""
Moment = Annotated[datetime | date, BeforeValidator(_moment)]
"""A local day (its beginning), or an instant with its offset from UTC."""
