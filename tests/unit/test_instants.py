"""Instants as text: written by hand for speed, and the same as the calendar's own way."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.instants import EPOCH, epoch_us, parse_instant, rfc3339

moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)).map(  # noqa: DTZ001
    lambda naive: naive.replace(tzinfo=UTC)
)


@given(moments, st.sampled_from([1, 1000, 1_000_000]))
def test_every_instant_is_written_as_the_calendar_does(moment: datetime, step_us: int) -> None:
    """In any year, of any precision: whole seconds, milliseconds or microseconds, whichever is enough."""
    instant_us = epoch_us(moment) // step_us * step_us
    moment = EPOCH + timedelta(microseconds=instant_us)
    for timespec in ("seconds", "milliseconds", "microseconds"):
        assert rfc3339(instant_us, timespec) == moment.isoformat(timespec=timespec).replace("+00:00", "Z")
    enough = "seconds" if not moment.microsecond else "microseconds" if moment.microsecond % 1000 else "milliseconds"
    assert rfc3339(instant_us) == rfc3339(instant_us, enough)


@given(moments)
def test_what_is_written_is_read_again(moment: datetime) -> None:
    """To the microsecond."""
    assert parse_instant(rfc3339(epoch_us(moment))) == moment


@pytest.mark.parametrize("instant_us", [epoch_us(datetime(1, 1, 1, tzinfo=UTC)) - 1, 10**18])
def test_an_instant_beyond_the_calendar_has_no_text(instant_us: int) -> None:
    """It is an error and no wrong date."""
    with pytest.raises(OverflowError):
        rfc3339(instant_us)
