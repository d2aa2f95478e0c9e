"""Where the demo is shown: as a live picture on a terminal, as plain lines everywhere else."""

import re
import time
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import click
from rich.console import Console
from rich.live import Live

from rice_stream.sandbox.demo import amounts
from rice_stream.sandbox.demo.screen import draw
from rice_stream.sandbox.demo.view import View, budget_label

PLAIN_INTERVAL_S = 2.0

_SCREENSHOT_SIZE = (112, 32)
_FONT_FACES = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)


class Display(Protocol):
    """A context in which views are shown."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def say(self, message: str) -> None:
        """Tell what happens before there is a view."""

    def show(self, view: View) -> None:
        """Show a moment; called a few times a second."""

    def leave(self) -> None:
        """Give the terminal back at once: the process is about to end without leaving the context."""


def choose_display(*, plain: bool) -> Display:
    """The live picture if standard output is a terminal that can show it (unless `plain`), or else lines on stderr."""
    console = Console(highlight=False)
    able = console.is_terminal and not console.is_dumb_terminal and console.encoding.startswith("utf")
    return LiveScreen(console) if able and not plain else PlainLines()


class LiveScreen:
    """Fills the terminal, on its alternate screen: what was there before is there again afterwards."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._status = console.status("")

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()

    def say(self, message: str) -> None:
        """As a line with a spinner."""
        self._status.update(message)

    def show(self, view: View) -> None:
        """Redraw everything; lines are written over each other, so nothing flickers."""
        if self._live is None:
            self._status.stop()
            self._live = Live(console=self._console, screen=True, auto_refresh=False)
            self._live.start()
        width, height = self._console.size
        self._live.update(draw(view, width, height), refresh=True)

    def leave(self) -> None:
        """Back to the normal screen."""
        self._status.stop()
        if self._live is not None:
            self._live.stop()


class PlainLines:
    """A line on stderr now and then, and one for every alert; no control codes."""

    def __init__(self) -> None:
        self._told_s = 0.0
        self._phase = ""
        self._alerts = 0
        self._introduced = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to undo."""

    def say(self, message: str) -> None:
        """As a line."""
        click.echo(f"demo: {message}", err=True)

    def show(self, view: View) -> None:
        """What is new since the last line, when it is time for one."""
        if not self._introduced:
            self._introduced = True
            for line in introduction(view):
                self.say(line)
        for alert in view.alerts[self._alerts :]:
            self.say(f"alert: {budget_label(alert.tenant_id, alert.budget)} is {alert.state} at {alert.threshold:.0%}")
        self._alerts = len(view.alerts)
        if view.phase != self._phase or time.monotonic() - self._told_s >= PLAIN_INTERVAL_S:
            self._phase, self._told_s = view.phase, time.monotonic()
            self.say(progress_line(view))

    def leave(self) -> None:
        """Nothing to undo."""


def introduction(view: View) -> list[str]:
    """What runs where, and how to look around from a second terminal."""
    stage = view.stage
    return [
        f"Kafka {stage.broker}, {stage.database}, worker {stage.worker_url}",
        f"method {stage.method_version}, {stage.factor_version}",
        f"in a second terminal: . {stage.environment_file}; rice-stream totals --by team",
    ]


def progress_line(view: View) -> str:
    """One moment in a line of ASCII."""
    totals = view.figures.totals
    carbon = totals.carbon_gco2e
    return (
        f"{amounts.minutes(view.elapsed_s)} {view.phase}: {totals.prompts:,} prompts ({view.rate_per_s:,.0f}/s),"
        f" {' '.join(amounts.watt_hours(totals.facility_energy_wh))},"
        f" {amounts.grams(carbon['mid'])}CO2e (low {amounts.grams(carbon['low'])}, high {amounts.grams(carbon['high'])}),"
        f" {len(view.alerts)} alerts, lag {view.waiting:,}"
    )


def save_screenshot(view: View, path: Path) -> None:
    """The picture as SVG that fetches nothing: readers see it in the monospaced font they have."""
    width, height = _SCREENSHOT_SIZE
    console = Console(
        record=True, width=width, height=height, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(draw(view, width, height))
    picture = _FONT_FACES.sub("", console.export_svg(title="rice-stream demo"))
    path.write_text(picture.replace("Fira Code", "ui-monospace"), encoding="utf-8")
