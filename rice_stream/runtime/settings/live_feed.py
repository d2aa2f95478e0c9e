"""Settings about the live feed of carbon intensity."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from rice_stream.runtime.settings.section import Section, mapping


class LiveFeedSettings(Section):
    """`RICE_LIVE_FEED*`: which feed, for which zones, how often it is asked."""

    live_feed: Literal["electricity-maps", "watttime", "neso"] | None = None
    live_feed_url: str | None = None
    live_feed_token: SecretStr | None = None
    live_feed_refresh_s: Annotated[float, Field(ge=60)] = 900.0
    live_feed_zones: Annotated[dict[str, str], mapping("region=zone, such as aws:eu-west-1=IE")] = Field(
        default_factory=dict
    )
