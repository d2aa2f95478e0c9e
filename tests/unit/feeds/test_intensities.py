"""A live feed over the tables, against a local stand-in of Electricity Maps."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from rice_stream.errors import UsageError
from rice_stream.feeds.intensities import LiveIntensities
from rice_stream.feeds.sources import ElectricityMaps
from rice_stream.runtime.opening_feeds import open_live_feed
from rice_stream.runtime.settings.loading import load_settings

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


class _Feed(BaseHTTPRequestHandler):
    """Answers past-range with 123.5 g/kWh for every hour asked, for the zone asked."""

    def do_GET(self) -> None:
        zone = self.path.partition("zone=")[2].partition("&")[0]
        hours = [NOW - timedelta(hours=k) for k in range(3)]
        point = {"carbonIntensity": 123.5, "isEstimated": False, "emissionFactorType": "lifecycle", "zone": zone}
        points = [{**point, "datetime": hour.isoformat().replace("+00:00", "Z")} for hour in hours]
        body = json.dumps({"zone": zone, "data": points, "history": points}).encode()
        self.send_response(200 if zone == "SE-SE3" else 401)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def feed_url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Feed)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


def test_a_mapped_region_gets_the_feeds_value_and_its_source_is_named(feed_url: str) -> None:
    source = ElectricityMaps(token="t", base_url=feed_url)
    live = LiveIntensities(source, {"azure:swedencentral": "SE-SE3"}, scope="lifecycle", refresh_s=900)
    live.refresh()
    found = live("azure:swedencentral", _us(NOW - timedelta(minutes=30)))
    assert found is not None
    assert found.rci_gco2e_per_kwh == 123.5
    assert "SE-SE3" in found.source


def test_unmapped_regions_other_scopes_and_failing_zones_leave_the_answer_to_the_tables(feed_url: str) -> None:
    source = ElectricityMaps(token="t", base_url=feed_url)
    live = LiveIntensities(source, {"azure:swedencentral": "SE-SE3", "DE": "DE"}, scope="direct", refresh_s=900)
    live.refresh()
    at_us = _us(NOW - timedelta(minutes=30))
    assert live("aws:eu-west-1", at_us) is None
    assert live("azure:swedencentral", at_us) is None, "a lifecycle value must not stand in for a direct one"
    assert live("DE", at_us) is None, "a zone that the feed refuses has no value"


def test_each_refresh_lets_earlier_answers_be_asked_again(feed_url: str) -> None:
    live = LiveIntensities(
        ElectricityMaps(token="t", base_url=feed_url), {"x": "SE-SE3"}, scope="lifecycle", refresh_s=900
    )
    before = live.generation
    live.refresh()
    assert live.generation > before


def test_a_feed_without_zones_or_token_says_which_setting_is_missing() -> None:
    assert open_live_feed(load_settings(environment={})) is None
    with pytest.raises(UsageError, match="RICE_LIVE_FEED_ZONES"):
        open_live_feed(load_settings(environment={"RICE_LIVE_FEED": "neso"}))
    with pytest.raises(UsageError, match="RICE_LIVE_FEED_TOKEN"):
        open_live_feed(
            load_settings(environment={"RICE_LIVE_FEED": "electricity-maps", "RICE_LIVE_FEED_ZONES": "DE=DE"})
        )
