"""Where the demo is shown: a live picture on terminals that can, plain lines elsewhere, and a picture for readers."""

import re
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from rice_stream.sandbox.demo.display import LiveScreen, PlainLines, choose_display, save_screenshot
from rice_stream.sandbox.demo.view import View
from tests.support.places import ROOT
from tests.unit.sandbox.demo.test_screen import STAGE, VIEW

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


def test_the_live_screen_takes_the_alternate_screen_and_gives_it_back() -> None:
    """What was on the terminal is there again afterwards, and the cursor too; frames never clear the screen."""
    terminal = StringIO()
    screen = LiveScreen(Console(file=terminal, force_terminal=True, width=100, height=30))
    with screen:
        screen.say("starting Kafka")
        screen.show(VIEW)
        before = len(terminal.getvalue())
        screen.show(replace(VIEW, waiting=16))
        frame = terminal.getvalue()[before:]
    shown = terminal.getvalue()
    assert "lag 16" in frame
    assert "\x1b[2J" not in frame
    assert shown.count("\x1b[?1049h") == shown.count("\x1b[?1049l") == 1
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert shown.rindex("\x1b[?1049l") > shown.rindex("lag 16")


def test_leaving_twice_or_before_the_first_picture_does_no_harm() -> None:
    """A second Ctrl-C may come at any time."""
    terminal = StringIO()
    with LiveScreen(Console(file=terminal, force_terminal=True, width=100, height=30)) as screen:
        screen.leave()
        screen.show(VIEW)
        screen.leave()
        screen.leave()
    assert terminal.getvalue().count("\x1b[?1049l") == 1


@pytest.mark.parametrize("view", [VIEW, View(STAGE)])
def test_the_screenshot_fetches_nothing_and_is_small(view: View, tmp_path: Path) -> None:
    """It shows what people saw."""
    file = tmp_path / "demo.svg"
    save_screenshot(view, file)
    assert_shown_as_it_is(file)


def test_the_readmes_picture_fetches_nothing_and_is_small() -> None:
    """The one that is shipped was written by `rice-stream demo --screenshot`."""
    assert_shown_as_it_is(ROOT / "docs" / "images" / "demo.svg")


def assert_shown_as_it_is(file: Path) -> None:
    """No font, style sheet or picture from a network; under 100 kB."""
    picture = file.read_text("utf-8")
    assert picture.startswith("<svg")
    assert "@font-face" not in picture
    assert "@import" not in picture
    assert not re.search(r"(href|src)\s*=|url\((?!#)", picture)
    assert len(picture.encode()) < 100_000
    assert "Tenants" in picture
