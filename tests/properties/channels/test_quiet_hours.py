"""Quiet hours against clocks that are watched minute by minute."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from rice_stream.channels.definition import QuietHours
from rice_stream.channels.quiet_hours import quiet_until

MINUTE = timedelta(minutes=1)
CHANGES = {
    "America/New_York": ["2026-03-08T07:00", "2026-11-01T06:00"],
    "Australia/Lord_Howe": ["2026-10-03T15:30", "2026-04-04T15:00"],
    "Pacific/Apia": ["2011-12-30T10:00"],
    "America/Havana": ["2026-03-08T05:00", "2026-11-01T05:00"],
    "Africa/Cairo": ["2026-04-23T22:00", "2026-10-29T21:00"],
}
"""Instants at which the clocks of a place jump."""

places = st.sampled_from([(place, change) for place, changes in CHANGES.items() for change in changes])
quarters = st.integers(0, 95).map(lambda number: time(number // 4, number % 4 * 15))


@given(places, quarters, quarters, st.integers(-40 * 60, 40 * 60))
@example(("Pacific/Apia", "2011-12-30T10:00"), time(22), time(7), -120)
def test_quiet_hours_are_what_the_furthest_that_clocks_have_shown_is_within(
    place: tuple[str, str], start: time, end: time, minutes: int
) -> None:
    """The clocks are watched from two days before on: an hour that they show again is not told apart from what they showed last."""
    name, change = place
    now = datetime.fromisoformat(change).replace(tzinfo=UTC) + minutes * MINUTE
    zone, instant, last = ZoneInfo(name), now - timedelta(days=2), now + timedelta(days=2)
    shown = instant.astimezone(zone).replace(tzinfo=None)
    quiet: dict[datetime, bool] = {}
    while instant <= last:
        shown = max(shown, instant.astimezone(zone).replace(tzinfo=None))
        at = shown.time()
        quiet[instant] = start <= at < end if start < end else at >= start or at < end
        instant += MINUTE
    until = quiet_until(QuietHours(start, end, name), now)
    assert (until is not None) == quiet[now]
    if until is None:
        return
    assert all(quiet[now + number * MINUTE] for number in range((until - now) // MINUTE))
    if start != end:
        assert not quiet[until]
    else:
        assert now < until <= now + timedelta(days=1, hours=1)
