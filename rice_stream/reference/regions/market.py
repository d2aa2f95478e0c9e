"""Market-based carbon intensities: what a supplier, or what is left of a market, says of a kilowatt-hour bought there.

Contracts for so many kilowatt-hours are no intensities of a request: they are applied to a month of a tenant (`ledger.contracts`).
"""

from collections.abc import Mapping, Sequence

from rice_stream.reference.effective_dates import Dated, Entry
from rice_stream.reference.providers import ProviderTable
from rice_stream.reference.reading import Row
from rice_stream.reference.regions.regions import WORLD, Region
from rice_stream.reference.sources import SourceTable
from rice_stream.reference.types import ANNUAL, HOURLY, RESIDUAL_MIX, SUPPLIER, MarketFactor, RegionFactor


class MarketTable:
    """Rows of market.csv, and those of rci.csv that say `market`; all hold within their dates alone."""

    def __init__(
        self,
        tables: Mapping[str, Sequence[Row]],
        sources: SourceTable,
        providers: ProviderTable,
        places: Mapping[str, Region],
    ) -> None:
        self._providers, self._places = providers, places
        rows = [_entry(row, sources, row.text("instrument"), row.text("provider")) for row in tables["market"]]
        rows += [
            _entry(row, sources, SUPPLIER, "")
            for row in tables["rci"]
            if (row.text("signal"), row.text("accounting")) == ("average", "market")
        ]
        self._rows = Dated(rows, expires=True)
        self._is_empty = not rows
        self.boundaries_us = self._rows.boundaries_us

    def resolve(self, provider: str | None, region: RegionFactor, at_us: int) -> MarketFactor | None:
        """The best intensity there is: of the provider at the place, of whoever supplies the place, of the provider anywhere, then
        the residual mix of the market that the place is in. None: carbon by the market is that by location.

        Of a place that was only assumed no place's factor is taken: nobody has bought there.
        """
        if self._is_empty:
            return None
        known = self._providers.get(provider)
        name = (known.provider if known else provider or "").lower()
        is_assumed = region.rung == "vendor" or region.region_id == WORLD
        steps = () if is_assumed else (region.region_id, *self._places[region.region_id].ladder)
        wanted = [(SUPPLIER, who, step) for step in steps for who in dict.fromkeys((name, ""))]
        wanted += [(SUPPLIER, name, "")] if name else []
        wanted += [(RESIDUAL_MIX, "", step) for step in steps]
        found = (self._rows.get(_key(*each, region.scope), at_us) for each in wanted)
        return next((each for each in found if each is not None), None)


def _key(instrument: str, provider: str, region_id: str, scope: str) -> str:
    return "\n".join((instrument, provider.lower(), region_id, scope))


def _entry(row: Row, sources: SourceTable, instrument: str, provider: str) -> Entry[MarketFactor]:
    said = row.text("granularity") if "granularity" in row.cells else ""
    factor = MarketFactor(
        instrument,
        row.number("rci_gco2e_per_kwh"),
        said or (ANNUAL if row.hours is None else HOURLY),
        sources.describe(row.text("source")),
        row.optional_whole("year"),
        row.hours,
        row.provisional,
    )
    return (
        _key(instrument, provider, row.text("region_id"), row.text("scope")),
        row.valid_from_us,
        row.valid_to_us,
        factor,
    )
