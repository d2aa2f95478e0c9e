"""Where the demo is told of: lines that stay in place on terminals that can, plain lines elsewhere."""

import re
import time
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from rice_stream.sandbox.demo.display import LiveLines, PlainLines, choose_display
from rice_stream.sandbox.demo.lines import live_lines
from rice_stream.sandbox.demo.view import View
from tests.unit.sandbox.demo.a_view import STAGE, VIEW

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def test_no_terminal_means_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """In CI and in pipes; nothing goes to stdout, which belongs to the answer."""
    display = choose_display(plain=False)
    assert isinstance(display, PlainLines)
    with display:
        display.say("starting Kafka")
        display.show(VIEW)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.isascii()
    assert not CONTROL.search(err)
    lines = err.splitlines()
    assert lines[0] == "demo: starting Kafka"
    assert "demo: in a second terminal: . /tmp/rice-stack-1a2b3c4d/demo.env; rice-stream totals --by team" in lines
    assert any(line.startswith("demo: dashboard http://127.0.0.1:18080/auth/link?key=0123 ") for line in lines)
    assert "demo: alert: tundra-logistics/research-day is exceeded at 100%" in lines
    assert lines[-1] == (
        "demo: 00:17 live: 4,784 prompts (295/s), 9.09 kWh, 3.77 kgCO2e (low 942 g, high 15.1 kg), 4 alerts, lag 15"
    )


def test_plain_lines_come_every_two_seconds_and_at_every_change(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log of a minute has about thirty lines, and each alert once, when it arrives."""
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    lines = PlainLines()
    quiet = replace(VIEW, alerts=())
    for _ in range(40):  # ten seconds at four frames a second
        lines.show(quiet)
        now_s[0] += 0.25
    told = [line for line in capsys.readouterr().err.splitlines() if "prompts" in line]
    assert len(told) == 5
    lines.show(VIEW)
    lines.show(VIEW)
    lines.show(replace(VIEW, phase="verifying every total"))
    told = capsys.readouterr().err.splitlines()
    assert sum("demo: alert:" in line for line in told) == len(VIEW.alerts)
    assert "verifying every total" in told[-1]


def test_the_live_lines_stay_in_their_place_and_leave_the_rest_of_the_terminal_alone() -> None:
    """No alternate screen and nothing cleared: what was on the terminal stays, and the cursor comes back."""
    terminal = StringIO()
    lines = LiveLines(Console(file=terminal, force_terminal=True, width=100, height=30))
    with lines:
        lines.say("starting Kafka")
        lines.show(VIEW)
        before = len(terminal.getvalue())
        lines.show(replace(VIEW, waiting=16))
        frame = terminal.getvalue()[before:]
    shown = terminal.getvalue()
    assert "lag 16" in frame
    assert "\x1b[2J" not in shown
    assert "\x1b[?1049h" not in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_leaving_twice_or_before_the_first_lines_does_no_harm() -> None:
    """A second Ctrl-C may come at any time."""
    terminal = StringIO()
    with LiveLines(Console(file=terminal, force_terminal=True, width=100, height=30)) as lines:
        lines.leave()
        lines.show(VIEW)
        lines.leave()
        lines.leave()
    assert "lag 15" in terminal.getvalue()


def test_the_lines_say_where_the_dashboard_is_and_what_has_come() -> None:
    """To the character, in few lines."""
    assert live_lines(VIEW).plain.splitlines() == [
        " rice_stream demo   live  00:17 / 00:30",
        " dashboard http://127.0.0.1:18080/auth/link?key=0123",
        "           opens in the first browser, within 15 minutes; then it is at http://127.0.0.1:18080",
        " so far    4,784 prompts (295/s), 9.09 kWh, 3.77 kgCO2e (low 942 g, high 15.1 kg), 4 alerts, lag 15",
        f" alerts    {VIEW.alerts[-1].arrived_at:%H:%M:%S} resolved  acme-month at 50 %, 0.1 s after it was judged",
        " more      . /tmp/rice-stack-1a2b3c4d/demo.env",
        "           rice-stream totals --by team  (both in a second terminal)",
        "           Ctrl-C ends it in good order",
    ]


def test_before_the_first_event_the_lines_are_as_many() -> None:
    """Nothing on the terminal moves when the first alert comes."""
    assert len(live_lines(View(STAGE)).plain.splitlines()) == len(live_lines(VIEW).plain.splitlines())
