"""Carbon intensities of a live feed, as the meter asks for them. Pure: what it gives is in memory."""

from typing import NamedTuple, Protocol


class LiveIntensity(NamedTuple):
    """A carbon intensity from a live feed that holds at the event's time."""

    rci_gco2e_per_kwh: float
    source: str
    estimated: bool = False
    """Whether the feed says that it is provisional: another value of the hour will follow."""


class LiveLookup(Protocol):
    """Values of a live feed, from memory."""

    generation: int
    """Grows when there are new values: what was resolved before may resolve otherwise now."""

    def __call__(self, region_id: str, at_us: int) -> LiveIntensity | None:
        """The feed's value for a region (as the tables or the event name it) at an instant (epoch microseconds)."""
        ...


class _NoLiveFeed:
    """The look-up of an installation without a live feed."""

    generation = 0

    def __call__(self, region_id: str, at_us: int) -> None:
        return None


no_live_feed: LiveLookup = _NoLiveFeed()
