"""Burn rates and forecasts against numbers worked by hand."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from rice_stream.budgets.burn import BURN_RULES, burn_alarms, burn_rate, burn_rules, burn_windows
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.forecasting import forecast
from rice_stream.budgets.parsing import parse_budget
from rice_stream.budgets.periods import Period, period_at
from rice_stream.budgets.states import Consumed

HOUR = timedelta(hours=1)
DAYS_30 = timedelta(days=30)
DAYS_7 = timedelta(days=7)


def budget(**fields: object) -> Budget:
    """720 gCO2e a month: 1 g an hour lasts 30 days exactly."""
    return parse_budget({"name": "b", "tenant_id": "t", "limit_gco2e": 720, "period": "month", **fields})


def grams(value: float) -> int:
    return round(value * 10**6)


def test_a_burn_rate_of_one_lasts_the_period_exactly() -> None:
    assert burn_rate(grams(1), grams(720), HOUR, DAYS_30) == 1.0
    assert burn_rate(grams(14.4), grams(720), HOUR, DAYS_30) == 14.4
    assert burn_rate(0, grams(720), HOUR, DAYS_30) == 0.0


@pytest.mark.parametrize(
    ("limit", "window", "period"), [(0, HOUR, DAYS_30), (1, 0 * HOUR, DAYS_30), (1, HOUR, 0 * HOUR)]
)
def test_a_rate_over_nothing_is_refused(limit: int, window: timedelta, period: timedelta) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        burn_rate(1, limit, window, period)


def test_at_30_days_the_rules_are_those_of_the_sre_workbook() -> None:
    assert [
        (
            rule.severity,
            rule.long // HOUR,
            rule.short // timedelta(minutes=1),
            float(threshold),
            float(rule.budget_share),
        )
        for rule, threshold in burn_rules(DAYS_30)
    ] == [
        ("page", 1, 5, 14.4, 0.02),
        ("page", 6, 30, 6.0, 0.05),
        ("ticket", 24, 120, 3.0, 0.1),
        ("ticket", 72, 360, 1.0, 0.1),
    ]
    assert all(rule.short * 12 == rule.long for rule in BURN_RULES)


def test_thresholds_are_recomputed_for_other_periods() -> None:
    """7 d: 0.02 * 168 = 3.36; 0.05 * 28 = 1.4; 0.1 * 7 = 0.7, and no ticket is opened below a burn rate of 1."""
    assert [float(threshold) for _, threshold in burn_rules(DAYS_7)] == [3.36, 1.4, 1.0, 1.0]
    assert BURN_RULES[2].threshold(DAYS_7) == Fraction(7, 10)
    # A quarter of 92 days: 0.02 * 92 * 24, 0.05 * 92 * 4, 0.1 * 92, 0.1 * 92 / 3.
    quarter = [float(threshold) for _, threshold in burn_rules(timedelta(days=92))]
    assert quarter == pytest.approx([44.16, 18.4, 9.2, 3.0666667])


def test_a_day_is_too_short_for_any_rule_whatever_the_clocks_do() -> None:
    for hours in (23, 24, 25):
        assert burn_rules(hours * HOUR) == ()
        assert burn_windows(hours * HOUR) == ()
        assert burn_alarms(budget(period="day"), {}, hours * HOUR) == []


def test_the_windows_to_fetch() -> None:
    minutes = [window // timedelta(minutes=1) for window in burn_windows(DAYS_30)]
    assert minutes == [5, 30, 60, 120, 360, 1440, 4320]


def steady(gco2e_per_hour: float) -> dict[timedelta, int]:
    return {window: grams(gco2e_per_hour * (window / HOUR)) for window in burn_windows(DAYS_30)}


@pytest.mark.parametrize(
    ("gco2e_per_hour", "long_hours"),
    [(1.0, []), (1.1, [72]), (3.1, [24, 72]), (6.1, [6, 24, 72]), (15, [1, 6, 24, 72])],
)
def test_a_steady_burn_raises_the_rules_it_exceeds_most_urgent_first(
    gco2e_per_hour: float, long_hours: list[int]
) -> None:
    alarms = burn_alarms(budget(), steady(gco2e_per_hour), DAYS_30, minimum=0)
    assert [alarm.rule.long // HOUR for alarm in alarms] == long_hours
    assert all(alarm.burn_long == pytest.approx(gco2e_per_hour) for alarm in alarms)
    assert all(alarm.burn_short == pytest.approx(gco2e_per_hour) for alarm in alarms)


def test_both_windows_must_burn() -> None:
    over = steady(20)
    for window in (HOUR, HOUR / 12):
        calm = {**over, window: 0}
        assert HOUR not in {alarm.rule.long for alarm in burn_alarms(budget(), calm, DAYS_30, minimum=0)}


def test_exactly_at_the_threshold_is_no_alarm() -> None:
    """14.4 times: 14.4 g in the hour and 1.2 g in five minutes."""
    windows = {**steady(0), HOUR: grams(14.4), HOUR / 12: grams(1.2)}
    for at_threshold in ({}, {HOUR: grams(14.4) + 1}, {HOUR / 12: grams(1.2) + 1}):
        assert burn_alarms(budget(), {**windows, **at_threshold}, DAYS_30) == []
    (alarm,) = burn_alarms(budget(), {**windows, HOUR: grams(14.4) + 1, HOUR / 12: grams(1.2) + 1}, DAYS_30)
    assert (alarm.rule.severity, alarm.threshold) == ("page", 14.4)


def test_a_quiet_tenant_raises_no_alarm() -> None:
    """A budget of 1 g a month, and one prompt of 0.3 g: thirty per cent of it within five minutes, and no rate."""
    tiny = budget(limit_gco2e=1)
    one_prompt = dict.fromkeys(burn_windows(DAYS_30), grams(0.3))
    assert burn_alarms(tiny, one_prompt, DAYS_30) == []
    assert len(burn_alarms(tiny, one_prompt, DAYS_30, minimum=grams(0.3))) == 4
    assert burn_alarms(tiny, one_prompt, DAYS_30, minimum=grams(0.3) + 1) == []


def test_a_missing_window_is_an_error_not_a_zero() -> None:
    with pytest.raises(KeyError):
        burn_alarms(budget(), {}, DAYS_30)


NOVEMBER_10 = datetime(2026, 11, 10, tzinfo=UTC)  # 9 of 30 days


def test_a_forecast_goes_on_at_the_average_pace() -> None:
    """9 of 30 days: times 10/3. 216 g mid lasts exactly; 270 g high runs out after 24 days; 180 g low ends at 600 g."""
    month = budget()
    consumed = Consumed(grams(180), grams(216), grams(270), 900_000_000)
    outlook = forecast(month, consumed, period_at(month, NOVEMBER_10), NOVEMBER_10)
    assert outlook is not None
    assert (outlook.low, outlook.mid, outlook.high) == (grams(600), grams(720), grams(900))
    assert (outlook.ratio, outlook.elapsed_ratio) == (1.0, 0.3)
    assert outlook.exhausted_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert outlook.exhausted_earliest == datetime(2026, 11, 25, tzinfo=UTC)
    assert outlook.exhausted_latest is None


def test_a_limit_already_passed_is_dated_before_now() -> None:
    """1440 g in 9 days: 720 g were reached after 4.5 of them."""
    month = budget()
    consumed = Consumed(grams(1440), grams(1440), grams(1440), 0)
    outlook = forecast(month, consumed, period_at(month, NOVEMBER_10), NOVEMBER_10)
    assert outlook is not None
    assert outlook.exhausted_at == datetime(2026, 11, 5, 12, tzinfo=UTC)


def test_an_energy_budget_has_one_date() -> None:
    """1 kWh of 2.5 kWh in 9 days: gone after 22.5 days."""
    month = budget(limit_gco2e=None, limit_kwh=2.5)
    consumed = Consumed(1, 2, 3, 10**9)
    outlook = forecast(month, consumed, period_at(month, NOVEMBER_10), NOVEMBER_10)
    assert outlook is not None
    assert outlook.exhausted_at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert outlook.exhausted_earliest == outlook.exhausted_latest == outlook.exhausted_at
    assert outlook.ratio == pytest.approx(4 / 3)


def test_a_day_of_23_hours_is_extrapolated_over_23_hours() -> None:
    day = budget(period="day", time_zone="Europe/Berlin", limit_gco2e=1000)
    now = datetime(2026, 3, 29, 10, 30, tzinfo=UTC)  # 11.5 h after the day began at 23:00 UTC
    outlook = forecast(day, Consumed(grams(1), grams(2), grams(3), 4), period_at(day, now), now)
    assert outlook is not None
    assert (outlook.low, outlook.mid, outlook.high) == (grams(2), grams(4), grams(6))


def test_nothing_consumed_is_forecast_as_nothing() -> None:
    month = budget()
    outlook = forecast(month, Consumed(0, 0, 0, 0), period_at(month, NOVEMBER_10), NOVEMBER_10)
    assert outlook is not None
    assert (outlook.ratio, outlook.exhausted_at) == (0.0, None)


def test_a_period_that_is_over_is_forecast_as_what_it_was() -> None:
    month = budget()
    consumed = Consumed(grams(1), grams(2), grams(3), 4)
    outlook = forecast(month, consumed, period_at(month, NOVEMBER_10), NOVEMBER_10 + DAYS_30)
    assert outlook is not None
    assert (outlook.low, outlook.mid, outlook.high) == (grams(1), grams(2), grams(3))
    assert outlook.elapsed_ratio == 1.0


def test_there_is_no_forecast_without_an_end_or_a_beginning() -> None:
    month, rolling = budget(), budget(period="rolling-30d")
    consumed = Consumed(1, 2, 3, 4)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    assert forecast(rolling, consumed, period_at(rolling, NOVEMBER_10), NOVEMBER_10) is None
    assert forecast(month, consumed, period_at(month, start), start) is None
    with pytest.raises(ValueError, match="lies before the period"):
        forecast(month, consumed, period_at(month, NOVEMBER_10), start - HOUR)


def test_slower_and_faster_paces_before_now_widen_a_forecast() -> None:
    """180 g in 9 days are 20 g a day: a day at 5 g, and a week at 30 g a day. An hour at 100 g is too short to tell, and a
    stretch that began before the month tells nothing of it."""
    month = budget()
    consumed = Consumed(grams(180), grams(180), grams(180), 0)

    def stretch(length: timedelta, gco2e: float, end: datetime = NOVEMBER_10) -> tuple[Period, Consumed]:
        return Period(end - length, end, calendar=False), Consumed(0, grams(gco2e), 0, 0)

    recent = [stretch(timedelta(days=1), 5), stretch(DAYS_7, 210), stretch(HOUR, 100), stretch(DAYS_30, 9_000)]
    outlook = forecast(month, consumed, period_at(month, NOVEMBER_10), NOVEMBER_10, recent)
    assert outlook is not None
    assert (outlook.low, outlook.mid, outlook.high) == (grams(180 + 21 * 5), grams(600), grams(180 + 21 * 30))
    assert outlook.exhausted_earliest == NOVEMBER_10 + timedelta(days=18)
    assert (outlook.exhausted_at, outlook.exhausted_latest) == (None, None)


def test_nothing_of_late_is_a_pace_of_nothing() -> None:
    month = budget()
    day = Period(NOVEMBER_10 - timedelta(days=1), NOVEMBER_10, calendar=False)
    consumed = Consumed(grams(500), grams(500), grams(500), 0)
    outlook = forecast(month, consumed, period_at(month, NOVEMBER_10), NOVEMBER_10, [(day, Consumed(0, 0, 0, 0))])
    assert outlook is not None
    assert (outlook.low, outlook.exhausted_latest) == (grams(500), None)
    assert outlook.exhausted_at is not None
