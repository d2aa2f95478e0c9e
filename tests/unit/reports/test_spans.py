"""The stretches of time that `totals` is made of."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from rice_stream.reports.spans import Span, calendar_spans, day_text, hull, split_at_buckets
from rice_stream.store.totals_tables import SLOTS

MICRO = 1_000_000


def us(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * MICRO


def hours_of_days(spans: Sequence[Span]) -> dict[str, float]:
    """Local day -> hours of it that the spans cover."""
    found: dict[str, float] = {}
    for span in spans:
        for at_s in range(span.from_us // MICRO, span.to_us // MICRO, 900):
            day = day_text(span.first_day + (at_s - span.origin_s) // 86_400)
            found[day] = found.get(day, 0) + 0.25
    return found


def test_days_of_ordinary_length_are_one_span_and_odd_ones_their_own() -> None:
    """A year of Berlin: two days that differ, so a handful of spans, not 365."""
    spans = calendar_spans("Europe/Berlin", us("2026-01-01T00:00"), us("2026-12-31T00:00"))
    assert len(spans) <= 5
    assert hours_of_days(spans)["2026-03-29"] == 23
    assert hours_of_days(spans)["2026-10-25"] == 25
    assert hours_of_days(spans)["2026-07-01"] == 24


def test_a_date_that_a_zone_left_out_has_no_hours() -> None:
    """Samoa went from 29 to 31 December 2011."""
    days = hours_of_days(calendar_spans("Pacific/Apia", us("2011-12-28T00:00"), us("2012-01-03T00:00")))
    assert "2011-12-30" not in days
    assert (days["2011-12-29"], days["2011-12-31"]) == (24, 24)


def test_a_day_may_begin_at_one_o_clock() -> None:
    """Sao Paulo's clocks jumped over midnight into 2018-11-04, a day of 23 hours that began at 03:00Z."""
    days = hours_of_days(calendar_spans("America/Sao_Paulo", us("2018-11-02T03:00"), us("2018-11-06T02:00")))
    assert days == {"2018-11-02": 24, "2018-11-03": 24, "2018-11-04": 23, "2018-11-05": 24}


def test_whole_buckets_and_edges_are_the_stretch_and_nothing_else() -> None:
    """[00:05, 00:50) is two edges around [00:15, 00:45); [00:05, 00:20) has no whole bucket."""
    span = Span("UTC", 5 * 60 * MICRO, 50 * 60 * MICRO)
    whole, edges = split_at_buckets([span], SLOTS)
    assert [(s.from_us // MICRO, s.to_us // MICRO) for s in whole] == [(900, 2700)]
    assert [(s.from_us // MICRO, s.to_us // MICRO) for s in edges] == [(300, 900), (2700, 3000)]
    short = Span("UTC", 5 * 60 * MICRO, 20 * 60 * MICRO)
    assert split_at_buckets([short], SLOTS) == ([], [short])


def test_the_hull_counts_no_bucket_twice() -> None:
    """Two edges in one minute are that minute once."""
    edges = [Span("UTC", 1 * MICRO, 2 * MICRO), Span("UTC", 30 * MICRO, 70 * MICRO)]
    assert [(s.from_us // MICRO, s.to_us // MICRO) for s in hull(edges, 60)] == [(0, 120)]


def test_day_text_counts_from_1970() -> None:
    """The numbers that SQL computes are days since the epoch."""
    assert day_text(0) == "1970-01-01"
    assert day_text((date(2026, 11, 22) - date(1970, 1, 1)).days) == "2026-11-22"
