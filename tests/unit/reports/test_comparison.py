"""Which records are compared: a window, bounds, or the last day."""

from datetime import UTC, date, datetime

import pytest

from rice_stream.errors import UsageError
from rice_stream.instants import DAY_US, HOUR_S, SECOND_US, epoch_us
from rice_stream.reports.comparison import traffic_of
from rice_stream.reports.windows import FOREVER_US

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def test_a_window_ends_now() -> None:
    """The present microsecond included; without anything it is the last day."""
    hour = traffic_of(NOW, window="1h", tenant="acme", model="gpt-4o")
    assert (hour.from_us, hour.to_us) == (epoch_us(NOW) - HOUR_S * SECOND_US, epoch_us(NOW) + 1)
    assert (hour.tenant, hour.model) == ("acme", "gpt-4o")
    assert traffic_of(NOW).from_us == epoch_us(NOW) - DAY_US


def test_bounds_are_days_of_utc_or_instants_and_may_be_open() -> None:
    first, last = date(2026, 11, 1), datetime(2026, 11, 2, 6, tzinfo=UTC)
    both = traffic_of(NOW, start=first, end=last)
    assert both[:2] == (epoch_us(datetime(2026, 11, 1, tzinfo=UTC)), epoch_us(last))
    assert traffic_of(NOW, end=last).from_us == 0
    assert traffic_of(NOW, start=first).to_us == FOREVER_US


def test_contradictions_are_refused() -> None:
    """A window beside bounds, an unknown window, an end before the beginning."""
    with pytest.raises(UsageError, match="--window says it all"):
        traffic_of(NOW, window="24h", start=date(2026, 11, 1))
    with pytest.raises(UsageError, match="choose from"):
        traffic_of(NOW, window="fortnight")
    with pytest.raises(UsageError, match="--from must lie before --to"):
        traffic_of(NOW, start=date(2026, 11, 2), end=date(2026, 11, 2))
