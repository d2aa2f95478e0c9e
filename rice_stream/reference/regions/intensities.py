"""rci.csv: carbon intensities by place, scope and time."""

from collections.abc import Sequence
from dataclasses import dataclass

from rice_stream.reference.effective_dates import Dated, Entry
from rice_stream.reference.reading import Row
from rice_stream.reference.sets.hours import Hours
from rice_stream.reference.sources import SourceTable


@dataclass(frozen=True, slots=True)
class Intensity:
    """One row of rci.csv."""

    region_id: str
    rci_gco2e_per_kwh: float
    year: int | None
    source: str
    licence: str
    valid_from: str | None
    note: str
    overlaid: bool
    hours: Hours | None = None
    provisional: bool = False


def intensities(rows: Sequence[Row], sources: SourceTable, accounting: str) -> Dated[Intensity]:
    """Average (not marginal) values of one accounting, by `region scope`. Market-based ones expire with their contract."""
    chosen = [row for row in rows if (row.text("signal"), row.text("accounting")) == ("average", accounting)]
    return Dated(
        (_entry(row, sources) for row in chosen if not row.lapses),
        lapsing=(_entry(row, sources) for row in chosen if row.lapses),
        expires=accounting == "market",
    )


def _entry(row: Row, sources: SourceTable) -> Entry[Intensity]:
    intensity = Intensity(
        row.text("region_id"),
        row.number("rci_gco2e_per_kwh"),
        row.optional_whole("year"),
        sources.describe(row.text("source")),
        sources.licence(row.text("source")),
        row.valid_from,
        row.text("note"),
        row.overlaid,
        row.hours,
        row.provisional,
    )
    return f"{row.text('region_id')} {row.text('scope')}", row.valid_from_us, row.valid_to_us, intensity
