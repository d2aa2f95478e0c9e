"""What all commands share: settings, `--json`, errors as one line with an exit code.

Every command loads this module: what only some of them need (settings, rich) is loaded when it is asked for.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from rice_stream.cli.extras import missing_extra
from rice_stream.errors import RiceError
from rice_stream.wording.plain_text import exact_json, visible_lines

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from rice_stream.runtime.settings.settings import Settings
    from rice_stream.store.audit import Actor

BAD_NEWS = 1
"""Exit code of a command that did its work and has bad news."""


@contextmanager
def loading() -> Iterator[None]:
    """While modules are loaded and a server is put together: what is made stays, so nobody looks through it for what may go.

    Python's collector would, again and again, which takes a sixth of the start of `serve`.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


Function = TypeVar("Function", bound=Callable[..., Any])


class StandardError:
    """stderr, for logs, progress and remarks: stdout carries answers only."""

    @cached_property
    def console(self) -> "Console":
        """What rich's progress bars are drawn on."""
        from rich.console import Console

        return Console(stderr=True, highlight=False, markup=False)

    def print(self, text: str) -> None:
        """A remark for people, as plain text."""
        click.echo(visible_lines(text), err=True)

    def status(self, text: str) -> "AbstractContextManager[Status]":
        """Shows, on a terminal, that something is under way."""
        return self.console.status(text)


STDERR = StandardError()


def say(text: str = "") -> None:
    """A part of an answer for people, on stdout, as plain text."""
    click.echo(visible_lines(text))


class Session:
    """Options given before the command, and the settings loaded from them."""

    def __init__(self, config: Path | None) -> None:
        self._config = config

    @cached_property
    def settings(self) -> "Settings":
        """Read when first asked for: help and pure commands need none."""
        from rice_stream.runtime.settings.loading import load_settings

        return load_settings(self._config)

    @cached_property
    def actor(self) -> "Actor":
        """Whoever runs this command, as the audit trail names them: their account on this machine."""
        import os
        import pwd

        from rice_stream.store.audit import Actor

        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # as in a container that runs under a number
            name = f"uid {os.getuid()}"
        return Actor("command line", name)


pass_session = click.make_pass_decorator(Session)


class CommandGroup(click.Group):
    """Turns our errors into one line on stderr and the exit code that belongs to them."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a traceback is never an answer to something a user can act on."""
        try:
            return super().invoke(ctx)
        except RiceError as error:
            fail(error)
        except ModuleNotFoundError as error:
            missing = missing_extra(error, ctx.invoked_subcommand)
            if missing is None:
                raise
            fail(missing)


def fail(error: RiceError) -> NoReturn:
    """Say what is wrong, and leave."""
    STDERR.print(f"rice-stream: {error}")
    sys.exit(error.exit_code)


def json_option(function: Function) -> Function:
    """`--json`: one JSON document on stdout and nothing else. The command gets it as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")(function)


def answer(document: dict[str, Any], *, as_json: bool, human: Callable[[], None]) -> None:
    """Print the document as JSON, or let `human` print it for a person."""
    if as_json:
        import json

        click.echo(exact_json(json.dumps(document, ensure_ascii=False, default=str)))
    else:
        human()
