"""What is said of how a budget ends, worked by hand."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rice_stream.api.console.drawing.outlooks import burn_down_of, ending_of, meter_of, most_urgent_first, pace_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def budget(*dates: str | None, **fields: Any) -> dict[str, Any]:
    """A month of 100 g in Berlin of which 60 are used; `dates`: the earliest, the expected and the latest."""
    times = [None if date is None else f"{date}T11:00:00Z" for date in dates]
    ahead = {
        "exhausted_at": dict(zip(("low", "mid", "high"), times, strict=True)) if any(times) else None,
        "end_of_period": {"low": 70.0, "mid": 90.0, "high": 130.0},
        "ratio": 0.9,
        "elapsed_ratio": 0.66,
    }
    return {
        "name": "b", "tenant_id": "t", "state": "warning", "ratio": 0.6, "limit": 100.0, "unit": "gco2e",
        "period": "month", "time_zone": "Europe/Berlin", "thresholds": [0.5, 0.8, 1.0], "consumed": 60.0,
        "consumed_gco2e": {"low": 50.0, "mid": 60.0, "high": 80.0}, "bucket": "day",
        "period_start": "2026-10-31T23:00:00Z", "period_end": "2026-11-30T23:00:00Z",
        "forecast": ahead if dates else None, "burn_rates": [{"window": "24h", "burn_rate": 1.25}], "open_alerts": [],
        "rows": [], **fields,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("dates", "kind", "lead", "more"),
    [
        (("2026-11-23", "2026-11-24", "2026-11-27"), "runs-out", "24 Nov", "between the 23rd and the 27th"),
        (("2026-11-28", "2026-11-30", "2026-12-02"), "runs-out", "30 Nov", "between 28 Nov and 2 Dec"),
        (("2026-11-24", "2026-11-24", "2026-11-24"), "runs-out", "24 Nov", ""),
        (("2026-11-23", "2026-11-24", None), "runs-out", "24 Nov", "the range is from 23 Nov to beyond the period"),
        (("2026-11-19", "2026-11-24", "2026-11-29"), "runs-out", "24 Nov", "the range is from now to 29 Nov"),
        (("2026-11-23", None, None), "may-run-out", "May not last", "as early as 23 Nov, by its range"),
        ((None, None, None), "lasts", "Lasts", "70–130 % used at its end"),
        ((), "begun", "Just begun", "too early to say"),
    ],
)
def test_how_it_ends(dates: tuple[str | None, ...], kind: str, lead: str, more: str) -> None:
    ending = ending_of(budget(*dates), NOW)
    assert (ending.kind, ending.lead, ending.more.replace("\u202f", " ")) == (kind, lead, more)


def test_what_is_used_up_says_since_when_it_was_announced() -> None:
    reached = {
        "threshold": 1.0,
        "state": "exceeded",
        "basis": "actual",
        "since": "2026-11-19T22:30:00Z",
        "delivered_at": None,
    }
    alerts = [{**reached, "basis": "forecast", "since": "2026-11-18T22:30:00Z"}, reached]
    found = ending_of(budget("2026-11-19", "2026-11-19", None, ratio=1.2, state="exceeded", open_alerts=alerts), NOW)
    assert (found.kind, found.more) == ("exceeded", "since 19 Nov, 23:30")
    assert "not announced yet" in ending_of(budget(None, None, None, ratio=1.2), NOW).more


def test_hours_of_a_day_are_times_of_its_own_zone() -> None:
    day = budget("2026-11-20", "2026-11-20", None, period="day", bucket="hour")
    day["forecast"]["exhausted_at"] = {
        "low": "2026-11-20T14:00:00Z",
        "mid": "2026-11-20T16:30:00Z",
        "high": "2026-11-20T20:00:00Z",
    }
    found = ending_of(day, NOW)
    assert (found.lead, found.more) == ("Today, 17:30", "between 15:00 and 21:00")


def test_a_rolling_window_fills_up_or_lasts_by_its_pace() -> None:
    assert ending_of(budget(period="rolling-7d"), NOW).kind == "rolling"
    assert ending_of(budget(period="rolling-7d", burn_rates=[{"window": "24h", "burn_rate": 0.5}]), NOW).kind == "lasts"


def test_what_needs_somebody_comes_first() -> None:
    lasts, later = budget(None, None, None, name="lasts"), budget("2026-11-23", "2026-11-28", None, name="later")
    soon, over = budget("2026-11-23", "2026-11-24", None, name="soon"), budget(None, None, None, name="over", ratio=1.1)
    ranked = [each["name"] for each, _ in most_urgent_first([lasts, later, soon, over], NOW)]
    assert ranked == ["over", "soon", "later", "lasts"]


def test_the_fan_begins_where_the_line_ends_and_the_limit_is_reached_between_two_dates() -> None:
    row = {"start": "2026-11-19T23:00:00Z", "end": "2026-11-20T23:00:00Z", "added": 1.0, "pace": 66.0}
    rows = [{**row, "consumed": 60.0, "consumed_low": 50.0, "consumed_high": 80.0}]
    chart = burn_down_of(budget("2026-11-23", "2026-11-26", "2026-11-29", rows=rows), NOW)
    styles = {line.style: line for line in chart.plot.lines}
    end_of_used = styles["now"].line.rsplit("L", 1)[1]
    assert styles["forecast"].line.startswith(f"M{end_of_used}")
    assert chart.runs_out is not None
    assert chart.now < chart.runs_out.left < (chart.runs_out.mid or 0) < chart.runs_out.right < 100
    assert chart.runs_out.height == pytest.approx(chart.plot.height(100.0), abs=0.01)


def test_a_meter_has_its_limit_on_it_however_much_is_used() -> None:
    for ratio in (0.0, 0.5, 1.0, 7.5):
        meter = meter_of(budget(ratio=ratio))
        assert 0 <= meter.used <= 100
        assert 0 < meter.limit <= 100
        assert (meter.used >= meter.limit) == (ratio >= 1)


def test_the_pace_that_lasts_is_at_the_same_place_in_all_bars() -> None:
    rates = [0.5, 1.0, 3.0]
    assert {pace_of(rate, rates).lasting for rate in rates} == {33.33}
    assert pace_of(1.0, rates).rate == pace_of(1.0, rates).lasting
