"""The command line. One small module per group of commands; `main` gathers them."""

import importlib
import logging
import sys
import tempfile
import traceback
from pathlib import Path
from types import TracebackType

import click

from rice_stream import __version__
from rice_stream.cli.base import CommandGroup, Session

_COMMANDS = {
    "demo": "demo",
    "local": "local",
    "migrate": "migrate",
    "worker": "worker",
    "replay": "replay",
    "ingest": "ingest",
    "serve": "serve",
    "coverage": "coverage",
    "map": "map",
    "estimate": "estimate",
    "validate": "validate",
    "calibrate": "calibrate",
    "rank": "rank",
    "compare": "compare",
    "models": "models",
    "regions": "regions",
    "totals": "totals",
    "verify": "verify",
    "explain": "explain",
    "quarantine": "quarantine",
    "check": "check",
    "budget": "budget",
    "alerts": "alerts",
    "tenant": "tenant",
}
"""Command -> module of this package that has it under the same name. Loaded when used: the command line starts quickly."""


class _LazyGroup(CommandGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(f"rice_stream.cli.{module}"), cmd_name)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="rice-stream")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file with settings; RICE_* in the environment win over it.",
)
@click.pass_context
def cli(ctx: click.Context, config: Path | None) -> None:
    """The meter and the ledger for the carbon of LLM use.

    Example: rice-stream local -- rice-stream check
    """
    ctx.obj = Session(config)


def _report_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error that is ours: one line for the user, the traceback in a file for the report."""
    with tempfile.NamedTemporaryFile("w", prefix="rice-stream-", suffix=".log", delete=False) as file:
        traceback.print_exception(kind, error, trace, file=file)
    click.echo(
        f"rice-stream: internal error ({kind.__name__}); please report it with the traceback in {file.name}", err=True
    )


def main() -> None:
    """Entry point of `rice-stream`."""
    sys.excepthook = _report_bug
    logging.captureWarnings(True)  # noqa: FBT003
    try:
        cli.main(standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(130)
