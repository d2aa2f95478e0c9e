"""What a command found, as a page says it."""

from rice_stream.wording.findings import found_text


def test_instants_are_told_in_the_zone_and_percents_with_a_thin_space() -> None:
    """All else stays as it is: days, names of settings, words."""
    found = "events have come up to 2026-11-24T14:04:00Z; the month ends at 2026-10-31T23:00:00.5Z"
    assert found_text(found, "Europe/Berlin") == (
        "events have come up to 24 Nov 2026, 15:04; the month ends at 1 Nov 2026, 00:00"
    )
    found = "95.0% of it; RICE_CLOSE_COVERAGE_MIN is 95%, since 2026-10-31"
    assert found_text(found, None) == "95.0\u202f% of it; RICE_CLOSE_COVERAGE_MIN is 95\u202f%, since 2026-10-31"
