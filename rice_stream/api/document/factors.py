"""Answers about factor sets, and what rests on old factors."""

from typing import Any, Literal

from pydantic import Field

from rice_stream.api.document.shapes import Answer
from rice_stream.reference.sets.columns import SetKind


class FactorSet(Answer):
    """A factor set without its rows."""

    digest: str
    kind: SetKind
    name: str
    state: Literal["coming", "in_force", "replaced", "withdrawn"]
    effective_from: str
    row_count: int
    valid_from: str | None
    valid_to: str | None
    source: str
    licence: str
    published: str
    added_by: str
    added_at: str


class KeptTables(Answer):
    """A version of the tables below all sets that records were estimated with; it can be used again."""

    version: str
    kept_at: str


class FactorSets(Answer):
    """All sets, in the order in which they are laid, and the versions of the tables that records rest on."""

    rows: list[FactorSet]
    tables: list[KeptTables]


class ShownFactorSet(FactorSet):
    """A factor set; rows as a file has them."""

    url: str | None
    note: str | None
    rows: list[dict[str, Any]]


class AddedFactorSet(FactorSet):
    """What is there now; `added` is false where it was there before."""

    url: str | None
    note: str | None
    added: bool


class NamedFactorSet(Answer):
    """Which set is meant."""

    digest: str
    kind: str
    name: str


class FactorDifference(Answer):
    """A row that only one of two sets has, or that they have otherwise."""

    change: Literal["added", "removed", "changed"]
    key: dict[str, str]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    change_percent: float | None = Field(description="of the value, in %")


class FactorDifferences(Answer):
    """How B differs from A."""

    a: NamedFactorSet
    b: NamedFactorSet
    rows: list[FactorDifference]


class OldCarbon(Answer):
    """Carbon that rests on carbon intensities that were old when the prompt ended."""

    prompts: int
    carbon_gco2e: float
    share_of_carbon: float | None


class OldRegion(OldCarbon):
    """The same of one region; `data_of` are the years or dates of its data."""

    region: str
    data_of: list[str]


class OldFactors(OldCarbon):
    """The same of all regions, and the regions with most of it."""

    older_than_months: int
    rows: list[OldRegion]
    rows_total: int
