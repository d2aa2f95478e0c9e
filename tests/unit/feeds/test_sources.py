"""Live feeds: the reply shapes of the three APIs, and the client against a fake server on loopback."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from rice_stream.feeds.client import LiveFeed
from rice_stream.feeds.sources import (
    ElectricityMaps,
    GreatBritain,
    LiveFeedError,
    LiveRecord,
    LiveSource,
    WattTime,
    record_at,
)
from rice_stream.instants import us_from_iso

START_US = us_from_iso("2026-11-22T10:00:00Z")
HOUR_US = 3_600_000_000
RETRIEVED_US = START_US + 5 * HOUR_US


def electricity_maps_point(at: str, value: float | None, **more: object) -> dict[str, object]:
    return {"carbonIntensity": value, "datetime": at, "updatedAt": "2026-11-22T12:00:00Z", "isEstimated": False, **more}


def test_electricity_maps_history_becomes_hourly_records() -> None:
    reply = {
        "zone": "SE-SE3",
        "data": [
            electricity_maps_point("2026-11-22T10:00:00.000Z", 21, emissionFactorType="lifecycle"),
            electricity_maps_point("2026-11-22T11:00:00.000Z", None),
            electricity_maps_point("2026-11-22T12:00:00.000Z", 23.5, isEstimated=True, estimationMethod="TIME_SLICER"),
        ],
    }
    records = ElectricityMaps("t").parse(reply, "SE-SE3", RETRIEVED_US)
    assert records[0] == LiveRecord(
        provider="electricitymaps",
        zone="SE-SE3",
        start_us=START_US,
        end_us=START_US + HOUR_US,
        rci_gco2e_per_kwh=21,
        scope="lifecycle",
        signal="average",
        accounting="location",
        estimated=False,
        kind="actual",
        retrieved_at_us=RETRIEVED_US,
        factor_set="2026-11-22T12:00:00Z",
    )
    assert [(record.rci_gco2e_per_kwh, record.estimated) for record in records] == [(21, False), (23.5, True)], (
        "a null is a gap, never a zero"
    )


def test_electricity_maps_latest_history_and_forecast_are_read() -> None:
    source = ElectricityMaps("t")
    point = electricity_maps_point("2026-11-22T10:00:00Z", 21)
    assert source.parse({"zone": "SE", **point}, "SE", 0)[0].kind == "actual"
    assert source.parse({"zone": "SE", "history": [point]}, "SE", 0)[0].kind == "actual"
    assert source.parse({"zone": "SE", "forecast": [point]}, "SE", 0)[0].kind == "forecast"


def test_electricity_maps_must_not_answer_for_another_zone() -> None:
    """An unknown zone falls silently to the caller's own place: the request forbids it and the reply is checked."""
    assert "disableCallerLookup=true" in ElectricityMaps("t").request("XX", START_US, START_US + HOUR_US).url
    with pytest.raises(LiveFeedError, match="asked for zone 'XX', answered for 'DE'"):
        ElectricityMaps("t").parse({"zone": "DE", "data": []}, "XX", 0)


def test_electricity_maps_must_not_answer_in_another_scope() -> None:
    point = electricity_maps_point("2026-11-22T10:00:00Z", 21, emissionFactorType="direct")
    with pytest.raises(LiveFeedError, match="asked for lifecycle factors, answered with 'direct'"):
        ElectricityMaps("t").parse({"zone": "SE", "data": [point]}, "SE", 0)


def watttime_reply(**meta: object) -> dict[str, Any]:
    known = {
        "region": "CAISO_NORTH",
        "signal_type": "co2_aoer",
        "units": "lbs_co2_per_mwh",
        "data_point_period_seconds": 300,
    }
    data = [{"point_time": "2026-11-22T10:00:00+00:00", "value": 500}]
    return {"data": data, "meta": {**known, "model": {"date": "2026-01-01"}, **meta}}


def test_watttime_pounds_per_megawatt_hour_become_grams_per_kilowatt_hour() -> None:
    """500 lb/MWh x 0.45359237 = 226.796185 g/kWh; the average signal, five minutes."""
    (record,) = WattTime("t").parse(watttime_reply(), "CAISO_NORTH", RETRIEVED_US)
    assert record.rci_gco2e_per_kwh == pytest.approx(226.796185)
    assert (record.scope, record.signal, record.factor_set) == ("direct", "average", "2026-01-01")
    assert record.end_us - record.start_us == 300_000_000


def test_watttime_marginal_rates_are_marked_and_other_units_refused() -> None:
    (record,) = WattTime("t", "co2_moer").parse(watttime_reply(signal_type="co2_moer"), "CAISO_NORTH", 0)
    assert record.signal == "marginal"
    with pytest.raises(LiveFeedError, match="'kg_per_mwh' is not known"):
        WattTime("t").parse(watttime_reply(units="kg_per_mwh"), "CAISO_NORTH", 0)


def test_great_britain_takes_the_actual_value_and_else_the_forecast() -> None:
    def half_hour(start: str, end: str, actual: int | None) -> dict[str, object]:
        return {"from": start, "to": end, "intensity": {"forecast": 100, "actual": actual, "index": "low"}}

    reply = {
        "data": [
            half_hour("2026-11-22T10:00Z", "2026-11-22T10:30Z", 90),
            half_hour("2026-11-22T10:30Z", "2026-11-22T11:00Z", None),
        ]
    }
    records = GreatBritain().parse(reply, "GB", 0)
    assert [(record.rci_gco2e_per_kwh, record.kind) for record in records] == [(90, "actual"), (100, "forecast")]
    assert records[0].end_us - records[0].start_us == HOUR_US // 2
    assert GreatBritain().parse(None, "GB", 0) == []


@pytest.mark.parametrize(
    "reply",
    [
        [],
        "text",
        {"zone": "SE", "data": {}},
        {"zone": "SE", "data": [7]},
        {"zone": "SE", "data": [{"carbonIntensity": "low", "datetime": "2026-11-22T10:00:00Z"}]},
        {"zone": "SE", "data": [{"carbonIntensity": True, "datetime": "2026-11-22T10:00:00Z"}]},
        {"zone": "SE", "data": [{"carbonIntensity": 2001, "datetime": "2026-11-22T10:00:00Z"}]},
        {"zone": "SE", "data": [{"carbonIntensity": -1, "datetime": "2026-11-22T10:00:00Z"}]},
        {"zone": "SE", "data": [{"carbonIntensity": float("nan"), "datetime": "2026-11-22T10:00:00Z"}]},
        {"zone": "SE", "data": [{"carbonIntensity": 1, "datetime": "yesterday"}]},
        {"zone": "SE", "data": [{"carbonIntensity": 1}]},
    ],
)
def test_a_reply_that_cannot_be_used_is_refused(reply: object) -> None:
    with pytest.raises(LiveFeedError):
        ElectricityMaps("t").parse(reply, "SE", 0)


def test_the_record_at_a_time_is_the_actual_one() -> None:
    point = electricity_maps_point("2026-11-22T10:00:00Z", 21)
    source = ElectricityMaps("t")
    actual = source.parse({"zone": "SE", "data": [point]}, "SE", 1)
    forecast = source.parse({"zone": "SE", "forecast": [{**point, "carbonIntensity": 30}]}, "SE", 2)
    held = record_at([*forecast, *actual], START_US)
    assert held is not None
    assert held.kind == "actual"
    assert record_at(actual, START_US + HOUR_US) is None, "a record ends where the next begins"


class Server:
    """Answers with what the test sets; counts the requests and keeps their headers."""

    def __init__(self) -> None:
        self.status, self.body = 200, b"{}"
        self.extra: dict[str, str] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
                self.send_response(server.status)
                for key, value in server.extra.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                self.wfile.write(server.body)

            def log_message(self, *_args: object) -> None:
                """Quiet."""

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join(5)
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def feed(server: Server) -> Callable[..., LiveFeed]:
    server.body = json.dumps({"zone": "SE", "data": [electricity_maps_point("2026-11-22T10:00:00Z", 21)]}).encode()

    def make(source: LiveSource | None = None, **options: float) -> LiveFeed:
        return LiveFeed(source or ElectricityMaps("secret", base_url=server.url), **options)

    return make


def refresh(feed: LiveFeed, hours: int = 1) -> list[LiveRecord]:
    return feed.refresh("SE", START_US, START_US + hours * HOUR_US, retrieved_at_us=RETRIEVED_US)


def test_the_client_fetches_once_and_answers_from_what_is_at_hand(
    server: Server, feed: Callable[..., LiveFeed]
) -> None:
    client = feed()
    assert client.lookup("SE", START_US) is None, "a look-up never asks the network"
    assert server.requests == []
    refresh(client)
    refresh(client)
    assert len(server.requests) == 1
    path, headers = server.requests[0]
    assert path.startswith("/carbon-intensity/past-range?zone=SE&start=2026-11-22T10%3A00Z&end=2026-11-22T11%3A00Z")
    assert headers["auth-token"] == "secret"
    held = client.lookup("SE", START_US + HOUR_US - 1)
    assert held is not None
    assert held.rci_gco2e_per_kwh == 21


def test_a_longer_time_or_an_old_answer_is_fetched_again(server: Server, feed: Callable[..., LiveFeed]) -> None:
    client = feed()
    refresh(client)
    refresh(client, hours=2)
    assert len(server.requests) == 2
    aged = feed(max_age_s=0.0)
    refresh(aged)
    refresh(aged)
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "answered 401 .the access token is wrong"),
        (429, "refresh less often"),
        (500, "answered 500"),
        (302, "answered 302"),
    ],
)
def test_a_refusal_is_an_error_that_says_what_to_do_and_keeps_what_was_at_hand(
    server: Server, feed: Callable[..., LiveFeed], status: int, message: str
) -> None:
    """A redirect is refused too: it would hand the token to another host."""
    client = feed(max_age_s=0.0)
    refresh(client)
    server.status, server.extra = status, {"Location": "http://127.0.0.1:1/"}
    with pytest.raises(LiveFeedError, match=message):
        refresh(client)
    assert client.failures == 1
    assert client.last_error is not None
    assert client.lookup("SE", START_US) is not None


@pytest.mark.parametrize("body", [b"not json", b'{"zone": "DE", "data": []}', b"\xff"])
def test_an_unusable_answer_is_an_error(server: Server, feed: Callable[..., LiveFeed], body: bytes) -> None:
    client = feed()
    server.body = body
    with pytest.raises(LiveFeedError):
        refresh(client)
    assert client.failures == 1


def test_a_feed_that_is_not_there_fails_in_time(feed: Callable[..., LiveFeed]) -> None:
    client = feed(ElectricityMaps("t", base_url="http://127.0.0.1:1"), timeout_s=0.5)
    with pytest.raises(LiveFeedError, match="could not be reached"):
        refresh(client)


def test_only_web_addresses_are_asked(feed: Callable[..., LiveFeed]) -> None:
    client = feed(ElectricityMaps("t", base_url="file:///etc"))
    with pytest.raises(LiveFeedError, match="must begin with https"):
        refresh(client)
