"""A live feed over the tables, against a local stand-in of Electricity Maps."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from rice_stream.feeds.client import HttpLimits
from rice_stream.feeds.intensities import LiveIntensities
from rice_stream.feeds.sources import ElectricityMaps, WattTime
from tests.support.http_server import Answer, WebServer

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
AT_US = int((NOW - timedelta(minutes=30)).timestamp()) * 1_000_000
REGION = "azure:swedencentral"


def answered(path: str) -> Answer:
    """123.5 g/kWh for every hour, for the zone asked; only SE-SE3 may be read with this token."""
    zone = path.partition("zone=")[2].partition("&")[0]
    hours = [NOW - timedelta(hours=k) for k in range(3)]
    point = {"carbonIntensity": 123.5, "isEstimated": False, "emissionFactorType": "lifecycle", "zone": zone}
    points = [{**point, "datetime": hour.isoformat().replace("+00:00", "Z")} for hour in hours]
    return Answer(200 if zone == "SE-SE3" else 401, json.dumps({"zone": zone, "data": points}).encode(), {})


@pytest.fixture
def live(server: WebServer) -> Callable[..., LiveIntensities]:
    server.respond = answered

    def make(scope: str = "lifecycle", url: str = server.url, **zones: str) -> LiveIntensities:
        return LiveIntensities(
            ElectricityMaps(token="secret", base_url=url),
            zones or {REGION: "SE-SE3"},
            scope=scope,
            refresh_s=900,
            limits=HttpLimits(timeout_s=2.0, pause_s=0.001),
        )

    return make


def test_a_mapped_region_gets_the_feeds_value_and_its_source_is_named(live: Callable[..., LiveIntensities]) -> None:
    feed = live()
    feed.refresh()
    found = feed(REGION, AT_US)
    assert found is not None
    assert (found.rci_gco2e_per_kwh, found.source) == (123.5, "electricitymaps zone SE-SE3 (actual)")


def test_a_look_up_never_asks_the_feed(live: Callable[..., LiveIntensities], server: WebServer) -> None:
    assert live()(REGION, AT_US) is None
    assert server.requests == []


def test_the_last_day_is_asked_for_with_the_token(live: Callable[..., LiveIntensities], server: WebServer) -> None:
    live().refresh()
    [(path, headers)] = server.requests
    assert path.startswith("/carbon-intensity/past-range?zone=SE-SE3&start=")
    assert headers["auth-token"] == "secret"


def test_unmapped_regions_other_scopes_and_failing_zones_leave_the_answer_to_the_tables(
    live: Callable[..., LiveIntensities],
) -> None:
    feed = live("direct", **{REGION: "SE-SE3", "DE": "DE"})
    feed.refresh()
    assert feed("aws:eu-west-1", AT_US) is None
    assert feed(REGION, AT_US) is None, "a lifecycle value must not stand in for a direct one"
    assert feed("DE", AT_US) is None, "a zone that the feed refuses has no value"


@pytest.mark.parametrize(("signal", "used"), [("co2_aoer", True), ("co2_moer", False)])
def test_a_marginal_value_is_never_used(server: WebServer, signal: str, *, used: bool) -> None:
    """What one more kilowatt-hour would emit is no average, whatever was asked for."""
    points = [{"point_time": (NOW - timedelta(hours=k)).isoformat(), "value": 500} for k in range(3)]
    meta = {"units": "lbs_co2_per_mwh", "region": "SE", "signal_type": signal, "data_point_period_seconds": 3600}
    server.respond = lambda _: Answer(200, json.dumps({"meta": meta, "data": points}).encode(), {})
    limits = HttpLimits(timeout_s=2.0, pause_s=0.001)
    feed = LiveIntensities(
        WattTime("secret", base_url=server.url), {REGION: "SE"}, scope="direct", refresh_s=900, limits=limits
    )
    feed.refresh()
    assert (feed(REGION, AT_US) is not None) == used


def test_each_refresh_lets_earlier_answers_be_asked_again(live: Callable[..., LiveIntensities]) -> None:
    feed = live()
    before = feed.generation
    feed.refresh()
    assert feed.generation > before


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(401, b"{}", {}), "answered 401 (the access token is wrong or has run out)"),
        (Answer(429, b"{}", {}), "answered 429 (too many requests: refresh less often)"),
        (Answer(500, b"{}", {}), "answered 500 (see the feed's status page)"),
        (Answer(302, b"", {"Location": "http://127.0.0.1:1/"}), "answered 302 (see the feed's status page)"),
        (Answer(200, b"not json", {}), "the reply is not JSON"),
        (Answer(200, b"\xff", {}), "the reply is not JSON"),
        (Answer(200, b'{"zone": "DE", "data": []}', {}), "answered for 'DE'"),
    ],
)
def test_a_refresh_that_fails_is_logged_with_what_to_do_and_keeps_what_was_at_hand(
    live: Callable[..., LiveIntensities],
    server: WebServer,
    caplog: pytest.LogCaptureFixture,
    answer: Answer,
    said: str,
) -> None:
    """An outage of the feed never stops the worker, and never takes a value away."""
    feed = live()
    feed.refresh()
    server.respond, server.answers = None, [answer]
    feed.refresh()
    assert said in caplog.text
    assert "zone SE-SE3 is not available, the tables answer: electricitymaps: " in caplog.text
    assert feed(REGION, AT_US) is not None
    assert "secret" not in caplog.text


def test_a_feed_that_is_not_there_is_logged(
    live: Callable[..., LiveIntensities], caplog: pytest.LogCaptureFixture
) -> None:
    live(url="http://127.0.0.1:1").refresh()
    assert "127.0.0.1:1 could not be reached within 2 s" in caplog.text


def test_an_address_that_is_none_of_the_web_is_logged(
    live: Callable[..., LiveIntensities], caplog: pytest.LogCaptureFixture
) -> None:
    live(url="file:///etc").refresh()
    assert "must begin with https" in caplog.text


def test_it_starts_with_values_and_ends_its_thread(live: Callable[..., LiveIntensities]) -> None:
    feed = live()
    feed.start()
    assert feed(REGION, AT_US) is not None
    [thread] = [one for one in threading.enumerate() if one.name == "rice-live-feed"]
    feed.close()
    thread.join(5)
    assert not thread.is_alive()
