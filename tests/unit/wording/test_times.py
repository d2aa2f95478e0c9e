"""Instants as people read them."""

from datetime import UTC, datetime

from rice_stream.wording.times import day_text, minutes_between, moment_text

NOON = datetime(2026, 11, 24, 12, 5, tzinfo=UTC)


def test_a_moment_is_that_of_the_clocks_of_a_place_and_says_so_where_none_is_named() -> None:
    assert moment_text(NOON, "Europe/Berlin") == "24 Nov 2026, 13:05"
    assert moment_text("2026-11-24T12:05:59Z", None) == "24 Nov 2026, 12:05 UTC"
    assert day_text("2026-11-24T23:30:00Z", "Asia/Tokyo") == "25 Nov 2026"


def test_minutes_between_are_whole_and_never_fewer_than_none() -> None:
    assert minutes_between("2026-11-24T11:00:30Z", NOON) == 64
    assert minutes_between(NOON, datetime(2026, 11, 24, 12, tzinfo=UTC)) == 0
