"""Opening the live feed of carbon intensity of the settings."""

from datetime import UTC, datetime
from typing import Any

from rice_stream.errors import UsageError
from rice_stream.feeds.final_values import FinalValues, final_values
from rice_stream.feeds.intensities import LiveIntensities
from rice_stream.feeds.sources import ElectricityMaps, GreatBritain, LiveSource, WattTime
from rice_stream.instants import datetime_of
from rice_stream.runtime.settings.settings import Settings

_ADDRESS = {
    "electricity-maps": "https://www.electricitymaps.com",
    "watttime": "https://watttime.org",
    "neso": "https://carbonintensity.org.uk",
}
_LICENCES = {"neso": "CC-BY-4.0"}
"""Of the others what their terms say."""


def open_live_feed(settings: Settings) -> LiveIntensities | None:
    """The feed of the settings; None: none is set. UsageError: a setting that it needs is missing."""
    if settings.live_feed is None:
        return None
    _require_zones(settings)
    return LiveIntensities(
        _source(settings),
        settings.live_feed_zones,
        scope=settings.rci_scope,
        refresh_s=settings.live_feed_refresh_s,
    )


def final_values_file(settings: Settings, start_us: int, end_us: int) -> tuple[dict[str, Any], FinalValues]:
    """A file of factors (kind `rci`) with what the feed of the settings says in the end of the hours from start to end, and what
    it was made of. UsageError: no feed is set, or as from `final_values`. LiveFeedError: it does not answer."""
    if settings.live_feed is None:
        raise UsageError("RICE_LIVE_FEED: no live feed is set, and so there is none that could be asked")
    _require_zones(settings)
    source = _source(settings)
    found = final_values(source, settings.live_feed_zones, scope=settings.rci_scope, start_us=start_us, end_us=end_us)
    days = "-".join(f"{datetime_of(each_us):%Y%m%d}" for each_us in (start_us, end_us))
    head = {
        "kind": "rci",
        "name": f"{source.name}-final-{days}",
        "source": f"{source.name}, {_ADDRESS[settings.live_feed]}",
        "licence": _LICENCES.get(settings.live_feed, f"the terms of {source.name}"),
        "published": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    return {**head, "rows": found.rows}, found


def _require_zones(settings: Settings) -> None:
    if not settings.live_feed_zones:
        raise UsageError(
            "RICE_LIVE_FEED_ZONES: is needed with RICE_LIVE_FEED, such as azure:swedencentral=SE-SE3,DE=DE"
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
