"""What a feed says in the end of past hours, as rows of a factor set; each mean is worked out by hand."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rice_stream.errors import UsageError
from rice_stream.feeds.client import HttpLimits
from rice_stream.feeds.final_values import FinalValues, final_hours, final_values
from rice_stream.feeds.sources import HOUR_US, ElectricityMaps, LiveRecord
from rice_stream.instants import DAY_US, iso_from_us, us_from_iso
from rice_stream.reference.sets.parsing import parse_factor_file
from tests.support.factor_files import BRITAIN, SWEDEN, file_of
from tests.support.http_server import Answer, WebServer

BEGIN_US = us_from_iso("2026-11-01T00:00:00Z")
ESTIMATED_HOUR = 30


def record(from_minute: int, to_minute: int, value: float, **changes: Any) -> LiveRecord:
    """Of minutes after BEGIN_US; final, unless something else is said."""
    said: dict[str, Any] = {
        "provider": "feed",
        "zone": "SE",
        "start_us": BEGIN_US + from_minute * 60_000_000,
        "end_us": BEGIN_US + to_minute * 60_000_000,
        "rci_gco2e_per_kwh": value,
        "scope": "lifecycle",
        "signal": "average",
        "accounting": "location",
        "estimated": False,
        "kind": "actual",
        "retrieved_at_us": 0,
        "factor_set": "",
    }
    return LiveRecord(**{**said, **changes})


def hours_of(*records: LiveRecord) -> dict[int, float]:
    """Hours after BEGIN_US -> value, of the first two days."""
    found = final_hours(records, "lifecycle", BEGIN_US, BEGIN_US + 2 * DAY_US)
    return {(hour_us - BEGIN_US) // HOUR_US: value for hour_us, value in found.items()}


def test_an_hour_is_the_mean_of_what_covers_it() -> None:
    """Half hours of 10 and 30 are 20; a quarter of 100 and three of 20 are 40; what was said twice counts once."""
    half = [record(0, 30, 10), record(30, 60, 30), record(30, 60, 30)]
    assert hours_of(*half, record(60, 75, 100), record(75, 120, 20)) == {0: 20.0, 1: 40.0}


def test_an_hour_that_is_not_wholly_final_is_left_out() -> None:
    """A gap, an estimate, a forecast, and figures of another kind, which are never mixed with these."""
    others: tuple[dict[str, Any], ...] = (
        {"estimated": True},
        {"kind": "forecast"},
        {"scope": "direct"},
        {"signal": "marginal"},
    )
    spoilt = [record(60 * hour, 60 * hour + 60, 5, **change) for hour, change in enumerate(others)]
    assert hours_of(*spoilt, record(300, 330, 5), record(360, 420, 7)) == {6: 7.0}


def answered(path: str) -> Answer:
    """The number of the hour in the month as its intensity; one hour is still an estimate."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    points = []
    for at_us in range(us_from_iso(asked["start"]), us_from_iso(asked["end"]), HOUR_US):
        hour = (at_us - BEGIN_US) // HOUR_US
        said = {"datetime": iso_from_us(at_us), "carbonIntensity": hour, "isEstimated": hour == ESTIMATED_HOUR}
        points.append({**said, "emissionFactorType": "lifecycle"})
    return Answer(200, json.dumps({"zone": asked["zone"], "data": points}).encode(), {})


@pytest.fixture
def ask(server: WebServer) -> Callable[[int, int], FinalValues]:
    """The feed's final values of two regions between two instants."""
    server.respond = answered
    source = ElectricityMaps(token="secret", base_url=server.url)
    zones = {SWEDEN: "SE-SE3", BRITAIN: "GB"}
    limits = HttpLimits(timeout_s=2.0, pause_s=0.001)
    return lambda start_us, end_us: final_values(
        source, zones, scope="lifecycle", start_us=start_us, end_us=end_us, limits=limits
    )


def test_the_rows_are_a_set_that_says_of_each_hour_what_the_feed_says_by_now(
    ask: Callable[[int, int], FinalValues], server: WebServer
) -> None:
    """Ten days of two zones are four requests; hour 30 is in neither row of a region."""
    found = ask(BEGIN_US, BEGIN_US + 10 * DAY_US)
    assert len(server.requests) == 4
    assert found.hours == dict.fromkeys((BRITAIN, SWEDEN), 239)
    assert found.missing == dict.fromkeys((BRITAIN, SWEDEN), 1)
    parsed = parse_factor_file(file_of(*found.rows), "final.yaml").factor_set
    of_sweden = [row for row in parsed.rows if row.text("region") == SWEDEN]
    values = {
        hour: value
        for hour in range(240)
        for row in of_sweden
        if row.hours is not None and (value := row.hours.at(BEGIN_US + hour * HOUR_US)) is not None
    }
    assert values == {hour: float(hour) for hour in range(240) if hour != ESTIMATED_HOUR}


@pytest.mark.parametrize("length_us", [-1, 0, HOUR_US - 1, 401 * DAY_US])
def test_what_is_no_hour_or_too_many_is_refused(ask: Callable[[int, int], FinalValues], length_us: int) -> None:
    """Before anybody is asked."""
    with pytest.raises(UsageError, match="one whole hour"):
        ask(BEGIN_US + 1, BEGIN_US + 1 + length_us)
