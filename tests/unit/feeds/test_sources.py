"""Live feeds: the reply shapes of the three APIs."""

from typing import Any

import pytest

from rice_stream.feeds.sources import (
    ElectricityMaps,
    GreatBritain,
    LiveFeedError,
    LiveRecord,
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
