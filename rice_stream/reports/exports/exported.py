"""What a kind of export gives to those who write files: rows or a document, and what these rest on."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rice_stream.reports.exports.columns import ExportColumn, Rows
from rice_stream.reports.month_amounts import MonthAmounts
from rice_stream.reports.month_stretch import MonthStretch
from rice_stream.reports.month_uses import UsedFactors, month_uses
from rice_stream.store.engine import Connection
from rice_stream.store.scope import Scope


class Grounds(NamedTuple):
    """Which month, as of when, by which factors, and what all of it adds up to."""

    stretch: MonthStretch
    as_of_us: int
    uses: Sequence[UsedFactors]
    totals: Mapping[str, int]


class ExportedRows(NamedTuple):
    """A table. The batches are read while the file is written."""

    columns: Sequence[ExportColumn]
    batches: Rows
    grounds: Grounds


class ExportedDocument(NamedTuple):
    """A JSON document, and how many rows it is taken to have; `layout` sets it as PDF."""

    document: Mapping[str, Any]
    rows: int
    grounds: Grounds
    layout: str | None = None


Exported = ExportedRows | ExportedDocument
TOTALLED = (
    "prompts",
    "input_tokens",
    "output_tokens",
    "it_energy_uwh",
    "facility_energy_uwh",
    "carbon_mid_ugco2e",
    "carbon_market_ugco2e",
    "embodied_ugco2e",
)


def grounds_of(connection: Connection, scope: Scope, amounts: MonthAmounts) -> Grounds:
    """Those of a month's amounts."""
    uses = month_uses(connection, scope, amounts.parts, amounts.digests)
    return Grounds(amounts.stretch, amounts.as_of_us, uses, {name: amounts.total.sums[name] for name in TOTALLED})
