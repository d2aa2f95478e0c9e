"""Where the demo is told of: a few lines that stay in place on a terminal, one line after another everywhere else."""

import time
from types import TracebackType
from typing import Protocol, Self

import click
from rich.console import Console
from rich.live import Live

from rice_stream.sandbox.demo import amounts
from rice_stream.sandbox.demo.lines import live_lines, so_far
from rice_stream.sandbox.demo.view import View, budget_label

PLAIN_INTERVAL_S = 2.0


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
    """Live lines if standard output is a terminal that can show them (unless `plain`), or else lines on stderr."""
    console = Console(highlight=False)
    able = console.is_terminal and not console.is_dumb_terminal and console.encoding.startswith("utf")
    return LiveLines(console) if able and not plain else PlainLines()


class LiveLines:
    """Writes over its own few lines; whatever else is on the terminal stays."""

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
        """Write the lines again, in the place of those before."""
        if self._live is None:
            self._status.stop()
            self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="visible")
            self._live.start()
        self._live.update(live_lines(view), refresh=True)

    def leave(self) -> None:
        """Below the last lines, with the cursor again."""
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
            self.say(f"{amounts.minutes(view.elapsed_s)} {view.phase}: {so_far(view)}")

    def leave(self) -> None:
        """Nothing to undo."""


def introduction(view: View) -> list[str]:
    """What runs where, and how to look around."""
    stage = view.stage
    return [
        f"Kafka {stage.broker}, {stage.database}, worker {stage.worker_url}",
        f"method {stage.method_version}, {stage.factor_version}",
        f"dashboard {stage.sign_in_link} (once, within 15 minutes; then {stage.server_url})",
        f"in a second terminal: . {stage.environment_file}; rice-stream totals --by team",
    ]
