"""The carbon intensity of a kind of request: event over settings over live feed over tables. Pure."""

from typing import NamedTuple

from rice_stream.meter.live_intensity import LiveLookup
from rice_stream.quantities import Range
from rice_stream.reference.types import ESTIMATED, HOURLY, MarketFactor, RegionFactor


class ResolvedIntensity(NamedTuple):
    """The carbon intensity that is taken, by location: its range, its rung and where it is from."""

    rci_gco2e_per_kwh: Range
    rung: str
    source: str
    hourly: bool = False
    """Whether it is a table's, of the hour."""
    provisional: bool = False
    """Whether it is an estimate that a final one will follow."""

    def sources(self, market: MarketFactor | None) -> dict[str, str]:
        """What a record's factors say of it, and of that by the market, besides the values; only what is not the plain case."""
        said = {"rci": self.source}
        if self.hourly:
            said["rci_granularity"] = HOURLY
        if self.provisional or (market is not None and market.provisional):
            said["intensity_status"] = ESTIMATED
        return said


def resolved_intensity(
    stated: float | None, configured: float | None, region: RegionFactor, live: LiveLookup, at_us: int
) -> ResolvedIntensity:
    """Of a place at an instant: as the event states it, as RICE_RCI_GCO2E_PER_KWH does, as a live feed has it, as the tables do."""
    if stated is not None:
        return ResolvedIntensity(Range.exact(stated), "event", "given on the event")
    if configured is not None:
        return ResolvedIntensity(Range.exact(configured), "setting", "RICE_RCI_GCO2E_PER_KWH")
    fed = live(region.region_id, at_us)
    if fed is not None:
        return ResolvedIntensity(Range.exact(fed.rci_gco2e_per_kwh), "live", fed.source, provisional=fed.estimated)
    hourly = region.is_hourly_at(at_us)
    return ResolvedIntensity(region.rci_at(at_us), region.rung, region.source, hourly, region.provisional)
