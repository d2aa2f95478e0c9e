"""From a region and provider to the PUE, down a ladder that always ends in an estimate."""

from collections.abc import Mapping, Sequence

from rice_stream.reference.effective_dates import Dated
from rice_stream.reference.providers import ProviderTable
from rice_stream.reference.reading import Row
from rice_stream.reference.regions.regions import Region
from rice_stream.reference.sources import SourceTable
from rice_stream.reference.types import PueFactor

PUBLIC_CLOUD = "industry:public_cloud"
DATA_CENTERS = "industry:data_centers"
ON_PREMISES = "on_premises"


class PueTable:
    """pue.csv, ready for look-up."""

    def __init__(
        self,
        tables: Mapping[str, Sequence[Row]],
        sources: SourceTable,
        providers: ProviderTable,
        places: Mapping[str, Region],
    ) -> None:
        self._providers = providers
        self._places = places
        self._rows = Dated(
            (
                row.text("subject"),
                row.valid_from_us,
                row.valid_to_us,
                PueFactor(
                    row.number("pue"),
                    row.text("basis"),
                    sources.describe(row.text("source")),
                    row.optional_whole("year"),
                    row.valid_from,
                    row.text("note"),
                ),
            )
            for row in tables["pue"]
        )
        self.boundaries_us = self._rows.boundaries_us

    def resolve(self, region_id: str | None, provider: str | None, at_us: int, default: float | None) -> PueFactor:
        """Region -> the cloud's fleet -> the provider's fleet, known or assumed -> `default` -> the industry's mean."""
        found = self._providers.get(provider)
        place = self._places.get(region_id or "")
        cloud = place.provider if place else ""
        for subject in (region_id, f"fleet:{cloud}" if cloud else None):
            factor = self._rows.get(subject, at_us) if subject else None
            if factor is not None:
                return factor
        if not cloud and found is not None and found.fleet not in ("", ON_PREMISES):
            factor = self._rows.get(f"fleet:{found.fleet}", at_us)
            if factor is not None:
                return _with_basis(factor, found.fleet_basis, found.provider, found.note)
        if default is not None:
            return PueFactor(default, "default", "the default that was configured")
        hosted = bool(cloud) or (found is not None and found.fleet != ON_PREMISES)
        factor = self._rows.get(PUBLIC_CLOUD if hosted else DATA_CENTERS, at_us)
        if factor is None:
            raise KeyError(PUBLIC_CLOUD)
        return factor


def _with_basis(factor: PueFactor, basis: str, provider: str, note: str) -> PueFactor:
    """A fleet mean applied to a provider that is only assumed to run on that fleet says so."""
    if basis != "assumption":
        return factor
    source = f"ASSUMED host of {provider}: {factor.source}"
    return PueFactor(factor.pue, "assumption", source, factor.year, factor.valid_from, note or factor.note)
