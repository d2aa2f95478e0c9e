"""What answers are made of: measures, amounts, pages, and what they rest on."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Row = TypeVar("Row")


class Answer(BaseModel):
    """The fields of an answer. Tests hold real answers against it, so a field that is not here is a mistake."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)


class Measure(Answer):
    """A value with its 80 % range."""

    low: float
    mid: float
    high: float


class Ends(Answer):
    """Two ends of a range."""

    low: float
    high: float


class Carbon(Answer):
    """Energy and operational carbon of some prompts."""

    it_energy_wh: float
    facility_energy_wh: float
    carbon_gco2e: Measure
    carbon_gco2e_median: float
    carbon_gco2e_linear: Ends


class Amounts(Carbon):
    """What prompts used."""

    prompts: int
    input_tokens: int
    cache_read_input_tokens: int
    cache_write_input_tokens: int
    output_tokens: int
    reasoning_output_tokens: int


class Versions(Answer):
    """By which method and which factors."""

    method: str
    factors: str


class Meta(Answer):
    """What an answer rests on."""

    as_of: str
    watermark: str | None
    committed_at: str | None
    time_zone: str | None
    versions: list[Versions]


class FactorMeta(Answer):
    """Of which version the tables are."""

    factor_version: str


class Rows(Answer, Generic[Row]):
    """A whole list."""

    rows: list[Row]


class Listed(Rows[Row], Generic[Row]):
    """A page of a list; `next` is the cursor of the page after it."""

    next: str | None


class Found(Rows[Row], Generic[Row]):
    """The beginning of a list of the tables."""

    rows_total: int
    meta: FactorMeta
