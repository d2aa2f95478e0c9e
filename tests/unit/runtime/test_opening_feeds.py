"""The live feed from the settings: what it needs is named when it is missing."""

import pytest

from rice_stream.errors import UsageError
from rice_stream.runtime.opening_feeds import open_live_feed
from rice_stream.runtime.settings.loading import load_settings


def test_a_feed_without_zones_or_token_says_which_setting_is_missing() -> None:
    assert open_live_feed(load_settings(environment={})) is None
    with pytest.raises(UsageError, match="RICE_LIVE_FEED_ZONES"):
        open_live_feed(load_settings(environment={"RICE_LIVE_FEED": "neso"}))
    with pytest.raises(UsageError, match="RICE_LIVE_FEED_TOKEN"):
        open_live_feed(
            load_settings(environment={"RICE_LIVE_FEED": "electricity-maps", "RICE_LIVE_FEED_ZONES": "DE=DE"})
        )


@pytest.mark.parametrize("feed", ["electricity-maps", "watttime", "neso"])
def test_every_feed_can_be_opened(feed: str) -> None:
    """Opening asks nobody."""
    environment = {"RICE_LIVE_FEED": feed, "RICE_LIVE_FEED_ZONES": "DE=DE", "RICE_LIVE_FEED_TOKEN": "t"}
    live = open_live_feed(load_settings(environment=environment))
    assert live is not None
    assert live("DE", 0) is None
