"""What all commands share: settings, `--json`, errors as one line with an exit code, tables for people."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from rich.console import Console
from rich.table import Table

from rice_stream.errors import RiceError
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.runtime.settings.settings import Settings

STDERR = Console(stderr=True, highlight=False)
"""For logs, progress and remarks: stdout carries answers only."""

BAD_NEWS = 1
"""Exit code of a command that did its work and has bad news."""

Function = TypeVar("Function", bound=Callable[..., Any])


class Session:
    """What the command line says in general."""

    def __init__(self, config: Path | None) -> None:
        self._config = config
        self._settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """Read when first asked for: help and pure commands need none."""
        if self._settings is None:
            self._settings = load_settings(self._config)
        return self._settings


pass_session = click.make_pass_decorator(Session)


class CommandGroup(click.Group):
    """Turns our errors into one line on stderr and the exit code that belongs to them."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a traceback is never an answer to something a user can act on."""
        try:
            return super().invoke(ctx)
        except RiceError as error:
            fail(error)


def fail(error: RiceError) -> NoReturn:
    """Say what is wrong, and leave."""
    click.echo(f"rice-stream: {error}", err=True)
    sys.exit(error.exit_code)


def json_option(function: Function) -> Function:
    """`--json`: one JSON document on stdout and nothing else. The command gets it as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")(function)


def answer(document: dict[str, Any], *, as_json: bool, human: Callable[[], None]) -> None:
    """Print the document as JSON, or let `human` print it for a person."""
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, default=str))
    else:
        human()


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """Print rows for a person; numbers are set to the right."""
    view = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for index, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        view.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        view.add_row(*(_cell(value) for value in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        # Piped or logged: whole lines, whatever the width of a terminal that is not there.
        console.width = 240
    console.print(view)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
