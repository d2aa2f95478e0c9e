"""`rice-stream local`: any command on a throw-away real Kafka and PostgreSQL."""

import sys
from pathlib import Path
from typing import Literal

import click

from rice_stream.cli.base import STDERR, Session, pass_session
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--store", type=click.Choice(["postgres", "sqlite"]), default="postgres", show_default=True)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep Kafka's and the database's data in DIR, and go on from what is there.",
)
@click.option("--partitions", type=click.IntRange(1, 1000), default=4, show_default=True, help="Of the events topics.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_session
def local(
    session: Session, store: Literal["postgres", "sqlite"], keep: Path | None, partitions: int, command: tuple[str, ...]
) -> None:
    """Run COMMAND with a throw-away real Kafka and PostgreSQL behind it.

    Both start on free loopback ports; topics and schema are made; COMMAND finds them through RICE_* in its environment.
    When it ends, both are stopped and deleted, and its exit code is passed on.

    Example: rice-stream local -- rice-stream check
    """
    from rice_stream.sandbox.stack.command import run_command
    from rice_stream.sandbox.stack.stack import LocalStack, local_stack

    settings = session.settings
    topics = [*settings.events_topics, settings.alerts_topic]

    def prepare(stack: LocalStack) -> None:
        migrate(open_engine(stack.database_url))

    with STDERR.status("Starting Kafka and the database") as status:
        stack_context = local_stack(
            store=store, data_dir=keep, keep=keep is not None, partitions=partitions, topics=topics
        )
        with stack_context as stack:
            status.stop()
            code = run_command(stack, command, prepare=prepare)
    sys.exit(code)
