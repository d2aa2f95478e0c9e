"""Times on the command line: a stretch may end or begin beyond the years that events lie in."""

import pytest

from tests.support.cli_running import Shell

NEXT_CENTURY = ("2100-01-01", "2100-01-01T00:00:00Z", "2100-01-01T12:00:00+14:00", "9999-12-31", "9999-12-31T23:59:59Z")
LONG_AGO = ("0001-01-01", "0001-01-01T00:00:00Z", "1969-12-31", "1999-12-31T23:00:00-02:00")


@pytest.fixture
def world(ledger: Shell) -> Shell:
    """Tenants at both edges of the calendar's days."""
    assert ledger.run("tenant", "set", "acme", "--time-zone", "Pacific/Kiritimati").exit_code == 0
    assert ledger.run("tenant", "set", "globex", "--time-zone", "Pacific/Pago_Pago").exit_code == 0
    return ledger


@pytest.mark.parametrize(
    "bound", [*(("--to", end) for end in NEXT_CENTURY), *(("--from", start) for start in LONG_AGO)]
)
def test_a_bound_beyond_all_events_cuts_nothing_off(world: Shell, bound: tuple[str, str]) -> None:
    """2100-01-01 is where the last year that an event can have ends."""
    assert world.json("totals", "--by", "tenant,day", *bound)["total"]["prompts"] == 3


@pytest.mark.parametrize("bound", [("--to", "2100-01-01T00:00:00Z"), ("--from", "1969-12-31")])
def test_a_comparison_may_reach_beyond_all_events_as_well(world: Shell, bound: tuple[str, str]) -> None:
    assert world.json("compare", "--region", "eu", *bound)["total"]["prompts"] == 3


@pytest.mark.parametrize("end", ["0000-01-01", "10000-01-01", "2100-02-30", "0001-01-01T00:00:00+01:00", "2100"])
def test_what_is_no_time_is_still_refused(ledger: Shell, end: str) -> None:
    result = ledger.run("totals", "--to", end)
    assert result.exit_code == 2
    assert f"--to {end}: " in result.stderr


def test_a_stretch_that_lies_beyond_all_events_on_both_ends_is_refused(ledger: Shell) -> None:
    result = ledger.run("totals", "--from", "3000-01-01", "--to", "2000-01-01")
    assert result.exit_code == 2
    assert "--from must lie before --to" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("totals",),
        ("bridge", "--tenant", "acme"),
        ("export", "chargeback", "--tenant", "acme", "--month", "2026-10", "--out", "file"),
    ],
    ids=lambda command: command[0],
)
def test_nothing_is_told_as_of_an_instant_that_lies_ahead(ledger: Shell, command: tuple[str, ...]) -> None:
    """The same question would be answered otherwise when it has come."""
    result = ledger.run(*command, "--as-of", "2100-01-01")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--as-of 2100-01-01T00:00:00+00:00: lies ahead" in result.stderr
