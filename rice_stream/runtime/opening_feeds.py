"""Opening the live feed of carbon intensity of the settings."""

from rice_stream.errors import UsageError
from rice_stream.feeds.intensities import LiveIntensities
from rice_stream.feeds.sources import ElectricityMaps, GreatBritain, LiveSource, WattTime
from rice_stream.runtime.settings.settings import Settings


def open_live_feed(settings: Settings) -> LiveIntensities | None:
    """The feed of the settings; None: none is set. UsageError: a setting that it needs is missing."""
    if settings.live_feed is None:
        return None
    if not settings.live_feed_zones:
        raise UsageError(
            "RICE_LIVE_FEED_ZONES: is needed with RICE_LIVE_FEED, such as azure:swedencentral=SE-SE3,DE=DE"
        )
    return LiveIntensities(
        _source(settings),
        settings.live_feed_zones,
        scope=settings.rci_scope,
        refresh_s=settings.live_feed_refresh_s,
    )


def _source(settings: Settings) -> LiveSource:
    url = {"base_url": settings.live_feed_url} if settings.live_feed_url else {}
    if settings.live_feed == "neso":
        return GreatBritain(**url)
    if settings.live_feed_token is None:
        raise UsageError(f"RICE_LIVE_FEED_TOKEN: is needed for {settings.live_feed}")
    token = settings.live_feed_token.get_secret_value()
    if settings.live_feed == "watttime":
        return WattTime(token=token, **url)
    return ElectricityMaps(token=token, scope=settings.rci_scope, **url)
