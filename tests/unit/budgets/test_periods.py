"""Periods worked by hand from the zones' rules: changes of clocks, odd offsets, missing midnights and missing days."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.parsing import parse_budget
from rice_stream.budgets.periods import Period, period_at, previous_period


def budget(period: str, time_zone: str = "UTC") -> Budget:
    return parse_budget({"name": "b", "tenant_id": "t", "limit_gco2e": 1, "period": period, "time_zone": time_zone})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# zone, kind, an instant, then the start and the end by hand; all in UTC.
GOLDEN = [
    # Berlin: +01, from 02:00 on 2026-03-29 +02, from 03:00 on 2026-10-25 again +01. Days of 23 and 25 hours.
    ("Europe/Berlin", "day", "2026-03-29 12:00", "2026-03-28 23:00", "2026-03-29 22:00"),
    ("Europe/Berlin", "day", "2026-10-25 12:00", "2026-10-24 22:00", "2026-10-25 23:00"),
    ("Europe/Berlin", "week", "2026-03-29 21:59:59", "2026-03-22 23:00", "2026-03-29 22:00"),
    ("Europe/Berlin", "week", "2026-03-29 22:00", "2026-03-29 22:00", "2026-04-05 22:00"),
    ("Europe/Berlin", "month", "2026-03-31 21:59:59", "2026-02-28 23:00", "2026-03-31 22:00"),
    ("Europe/Berlin", "month", "2026-03-31 22:00", "2026-03-31 22:00", "2026-04-30 22:00"),
    ("Europe/Berlin", "quarter", "2026-11-22 19:00", "2026-09-30 22:00", "2026-12-31 23:00"),
    ("Europe/Berlin", "year", "2026-06-01 00:00", "2025-12-31 23:00", "2026-12-31 23:00"),
    # New York: -05, from 02:00 on 2026-03-08 -04, from 02:00 on 2026-11-01 again -05.
    ("America/New_York", "day", "2026-03-08 20:00", "2026-03-08 05:00", "2026-03-09 04:00"),
    ("America/New_York", "day", "2026-11-01 20:00", "2026-11-01 04:00", "2026-11-02 05:00"),
    ("America/New_York", "month", "2026-11-01 03:59:59", "2026-10-01 04:00", "2026-11-01 04:00"),
    # Offsets that are no whole hours: India +05:30, Nepal +05:45.
    ("Asia/Kolkata", "day", "2026-11-22 18:29:59", "2026-11-21 18:30", "2026-11-22 18:30"),
    ("Asia/Kolkata", "day", "2026-11-22 18:30", "2026-11-22 18:30", "2026-11-23 18:30"),
    ("Asia/Kathmandu", "month", "2026-11-22 00:00", "2026-10-31 18:15", "2026-11-30 18:15"),
    # Lord Howe changes by half an hour: +11, from 2026-04-05 +10:30, from 2026-10-04 again +11.
    ("Australia/Lord_Howe", "day", "2026-04-05 01:00", "2026-04-04 13:00", "2026-04-05 13:30"),
    ("Australia/Lord_Howe", "day", "2026-10-04 01:00", "2026-10-03 13:30", "2026-10-04 13:00"),
    # Apia left out 2011-12-30: from -10 to +14 at the end of the 29th, which is 10:00 UTC on the 30th.
    ("Pacific/Apia", "day", "2011-12-30 09:59:59", "2011-12-29 10:00", "2011-12-30 10:00"),
    ("Pacific/Apia", "day", "2011-12-30 10:00", "2011-12-30 10:00", "2011-12-31 10:00"),
    ("Pacific/Apia", "month", "2011-12-30 10:00", "2011-12-01 10:00", "2011-12-31 10:00"),
    # Sao Paulo: no midnight on 2018-11-04 (-03 to -02 at 00:00), a 25-hour 2018-02-17 (-02 to -03 at 24:00).
    ("America/Sao_Paulo", "day", "2018-11-04 12:00", "2018-11-04 03:00", "2018-11-05 02:00"),
    ("America/Sao_Paulo", "day", "2018-11-04 02:59:59", "2018-11-03 03:00", "2018-11-04 03:00"),
    ("America/Sao_Paulo", "day", "2018-02-18 02:30", "2018-02-17 02:00", "2018-02-18 03:00"),
    # Toronto 1919: from 23:30 on March 30 (-05) to 00:30 on the 31st: the date changes with the clocks.
    ("America/Toronto", "day", "1919-03-31 12:00", "1919-03-31 04:30", "1919-04-01 04:00"),
    # St. John's 2006-10-29: at 00:01 (-02:30) back to 23:01 on the 28th (-03:30). The day starts at its first midnight
    # and keeps the hour in which the clocks show the 28th once more.
    ("America/St_Johns", "day", "2006-10-29 02:29:59", "2006-10-28 02:30", "2006-10-29 02:30"),
    ("America/St_Johns", "day", "2006-10-29 02:30:30", "2006-10-29 02:30", "2006-10-30 03:30"),
    ("America/St_Johns", "day", "2006-10-29 03:00", "2006-10-29 02:30", "2006-10-30 03:30"),
    # Weeks start on Monday (2026-11-22 is a Sunday) and run over New Year; leap years; quarters.
    ("UTC", "week", "2026-11-22 23:59:59", "2026-11-16 00:00", "2026-11-23 00:00"),
    ("UTC", "week", "2026-01-01 00:00", "2025-12-29 00:00", "2026-01-05 00:00"),
    ("UTC", "month", "2028-02-29 12:00", "2028-02-01 00:00", "2028-03-01 00:00"),
    ("UTC", "month", "2026-12-31 23:59:59", "2026-12-01 00:00", "2027-01-01 00:00"),
    ("UTC", "quarter", "2026-01-01 00:00", "2026-01-01 00:00", "2026-04-01 00:00"),
    ("UTC", "quarter", "2026-06-30 23:59:59", "2026-04-01 00:00", "2026-07-01 00:00"),
    ("UTC", "quarter", "2026-07-01 00:00", "2026-07-01 00:00", "2026-10-01 00:00"),
    ("UTC", "quarter", "2026-12-31 00:00", "2026-10-01 00:00", "2027-01-01 00:00"),
    ("UTC", "year", "2028-12-31 23:59:59", "2028-01-01 00:00", "2029-01-01 00:00"),
]


@pytest.mark.parametrize(("time_zone", "kind", "now", "start", "end"), GOLDEN)
def test_calendar_periods_begin_and_end_with_the_dates_of_their_zone(
    time_zone: str, kind: str, now: str, start: str, end: str
) -> None:
    assert period_at(budget(kind, time_zone), utc(now)) == Period(utc(start), utc(end), calendar=True)


def test_neighbouring_periods_leave_out_a_date_that_never_was() -> None:
    """In Apia the day before 2011-12-31 is the 29th."""
    days = budget("day", "Pacific/Apia")
    last_of_year = period_at(days, utc("2011-12-31 00:00"))
    before = previous_period(days, last_of_year)
    assert (before.start, before.end) == (utc("2011-12-29 10:00"), utc("2011-12-30 10:00"))


@pytest.mark.parametrize(
    ("kind", "start"), [("rolling-24h", "11-21"), ("rolling-7d", "11-15"), ("rolling-30d", "10-23")]
)
def test_a_rolling_window_starts_on_a_whole_minute_and_holds_the_running_one(kind: str, start: str) -> None:
    now = utc("2026-11-22 19:34:56.789")
    window = period_at(budget(kind, "Asia/Kolkata"), now)
    assert window == Period(utc(f"2026-{start} 19:34"), utc("2026-11-22 19:35"), calendar=False)


def test_a_rolling_window_follows_the_window_before_it() -> None:
    rolling = budget("rolling-24h")
    window = period_at(rolling, utc("2026-11-22 19:00"))
    assert (window.start, window.end) == (utc("2026-11-21 19:00"), utc("2026-11-22 19:01"))
    assert previous_period(rolling, window) == Period(utc("2026-11-20 19:00"), utc("2026-11-21 19:00"), calendar=False)


def test_now_may_come_in_any_zone_but_not_without_one() -> None:
    month = budget("month")
    abroad = datetime(2026, 11, 30, 20, 0, tzinfo=timezone(timedelta(hours=-5)))  # 2026-12-01 01:00 UTC
    assert period_at(month, abroad) == Period(utc("2026-12-01"), utc("2027-01-01"), calendar=True)
    with pytest.raises(ValueError, match="needs a time zone"):
        period_at(month, datetime(2026, 11, 30))  # noqa: DTZ001  # what is refused


def test_a_period_is_in_utc_and_not_empty() -> None:
    now = utc("2026-11-22 19:00")
    with pytest.raises(ValueError, match="empty"):
        Period(now, now, calendar=True)
    with pytest.raises(ValueError, match="UTC"):
        Period(now, now.astimezone(timezone(timedelta(hours=1))) + timedelta(hours=2), calendar=True)
