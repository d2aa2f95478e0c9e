"""The command line: one module per command; `main` gathers them.

What stands here is loaded by every call, `--version` included: it stays small.
"""

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rice_stream import __version__
from rice_stream.cli.base import CommandGroup, Session, fail, loading
from rice_stream.cli.extras import missing_extra

if TYPE_CHECKING:
    from types import TracebackType

COMMANDS = {
    "demo": "Watch live traffic become grams of CO2e, with budget alerts arriving on Kafka.",
    "local": "Run COMMAND with a throw-away real Kafka and PostgreSQL behind it.",
    "migrate": "Bring the database to the schema of this version.",
    "worker": "Consume events, estimate, account, judge budgets; until SIGTERM or SIGINT.",
    "replay": "Send a trace or a file of events to the first events topic, and wait until the broker has confirmed all.",
    "ingest": "Account the events of files: JSON lines, a JSON document, CSV, Parquet, OTLP in protobuf; gzipped or not.",
    "serve": "Serve HTTP: take events and put them on Kafka, and answer with totals and records; until SIGTERM or SIGINT.",
    "coverage": "Models, regions and tenants that no table knows, most tokens first; and what rests on fallbacks and claims.",
    "map": "Say what a name stands for, or whom within a tenant it is charged to, in events from then on.",
    "factors": "Dated sets of carbon intensities, PUEs, prices and evidence, which all workers take from an instant on.",
    "estimate": "Energy and carbon of one request before it is sent, or of every row of a table.",
    "validate": "Fit rice-calibrated without each model in turn, write docs/validation*.md, and print what must be reached.",
    "calibrate": "Make a site profile from a table of measured rows; RICE_SITE_FILE then corrects every estimate of that hardware.",
    "rank": "Models ordered by gCO2e per prompt and per 1,000 output tokens, with ranges, lowest first.",
    "compare": "What recorded traffic would have emitted on another model, in another region, or served otherwise.",
    "models": "Models that have all words of the query, with their parameters; for the name of one model its card: evidence,"
    " assumptions, what a request of 500 and 250 tokens comes to, and what its range is made of.",
    "regions": "Regions with their carbon intensity (lifecycle and direct), PUE and sources; or what a spelling resolves to.",
    "totals": "Prompts, tokens, energy and carbon, by any names and over any time.",
    "statement": "A month of a team or cost centre: carbon with its range, what changed and what moved it, and the budgets.",
    "verify": "Recount every total from the records and compare with ==.",
    "rebuild": "Put right every total that differs from the sum of its records.",
    "restate": "Estimate recorded prompts again, by the method and the factors of today, and post the difference as entries.",
    "bridge": "From what was reported of a stretch of time to what is known of it by now, step by step, by cause.",
    "void": "Take a wrong event out of all totals; its record stays, and so does what was reported of it.",
    "market": "Contracts for electricity, and what they cover of months that are over.",
    "close": "Close a month of a tenant, and sign what it was.",
    "periods": "Months of tenants: open, closing, closed softly or for good, with what was asserted and signed.",
    "archive": "Write the records of closed months to Parquet files of an Iceberg table; retention may drop them then.",
    "export": "Write a month of a tenant as a file to hand on, and beside it FILE.manifest.json, which makes it again.",
    "reconcile": "Compare a month's tokens with a provider's usage export, or its carbon with a cloud's file or figure, by cause.",
    "prove": "A file that proves to somebody outside that a prompt is in what was closed and signed of its month.",
    "explain": "The arithmetic of one record, step by step, from what is stored with it.",
    "quarantine": "Items that were refused: list, show, replay, drop.",
    "check": "Look at settings, broker, topics, database, tables and versions; say what to do about each problem.",
    "budget": "Carbon and energy budgets: set, list, status, remove, apply.",
    "channel": "Where alerts are sent: set, apply, list, test, remove.",
    "delivery": "What was sent to each channel, and what became of it: list, resend.",
    "alerts": "State changes of budgets, latest first, and whether Kafka has confirmed them.",
    "tenant": "Tenants and the time zone of their days and months.",
    "token": "Tokens of those who use the HTTP server: create, list, rotate, revoke.",
    "erase": "Erase the names of a person or of a whole tenant from the database; every sum, closed month and proof stays.",
    "audit": "Who changed what, from what to what, and when; and proof that nobody changed it afterwards.",
}
"""Command -> the first sentence of its help. Each is in the module of this package that has its name, which is loaded when it
is run: `--help` loads none."""


class _LazyGroup(CommandGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            with loading():
                module = importlib.import_module(f"{__name__}.{cmd_name}")
        except ModuleNotFoundError as error:
            missing = missing_extra(error, cmd_name)
            if missing is None:
                raise
            fail(missing)
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of `--help`, without loading the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


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


def _report_bug(kind: type[BaseException], error: BaseException, trace: "TracebackType | None") -> None:
    """An error that is ours: one line for the user, the traceback in a file for the report."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="rice-stream-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as file:
        traceback.print_exception(kind, error, trace, file=file)
    click.echo(
        f"rice-stream: internal error ({kind.__name__}); please report it with the traceback in {file.name}", err=True
    )


def main() -> None:
    """Entry point of `rice-stream`."""
    sys.excepthook = _report_bug
    try:
        cli.main(standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(130)
