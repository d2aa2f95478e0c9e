"""`rice-stream demo`."""

import sys
from typing import Literal

import click

from rice_stream.cli.base import Session, pass_session
from rice_stream.sandbox.demo import options as defaults

_INTERRUPTED_EXIT_CODE = 130


@click.command()
@click.option("--store", type=click.Choice(["postgres", "sqlite"]), default="postgres", show_default=True)
@click.option(
    "--seconds", type=click.FloatRange(min=1), metavar="N", help="End after N seconds of traffic. Default: at Ctrl-C."
)
@click.option(
    "--rate",
    "rate_per_s",
    type=click.FloatRange(min=1, max=5_000),
    default=defaults.RATE_PER_S,
    show_default=True,
    metavar="N",
    help="Events per second, on average.",
)
@click.option("--tenants", type=click.IntRange(1, 20), default=defaults.TENANTS, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=defaults.SEED, show_default=True, help="Of the traffic.")
@click.option("--json", "answer_only", is_flag=True, help="Print one JSON document on stdout and nothing else.")
@pass_session
def demo(
    session: Session,
    *,
    store: Literal["postgres", "sqlite"],
    seconds: float | None,
    rate_per_s: float,
    tenants: int,
    seed: int,
    answer_only: bool,
) -> None:
    """Watch live traffic become grams of CO2e, with budget alerts arriving on Kafka.

    Starts a throw-away real Kafka, a database, the worker and the server with its dashboard on free loopback ports,
    sends production-shaped traffic and says where to look at what comes of it. At the end (--seconds, or Ctrl-C) it
    proves every total against the records, leaves nothing behind, and prints one JSON document as its last line. Exit
    code 0: all of it held.

    How to estimate (RICE_METHOD, RICE_PUE and the like) is taken from your settings.

    Example: rice-stream demo --seconds 30
    """
    from rice_stream.sandbox.demo.run import run_demo

    options = defaults.DemoOptions(store, seconds, rate_per_s, tenants, seed, answer_only)
    try:
        code = run_demo(options, session.settings)
    except KeyboardInterrupt:
        click.echo("rice-stream: ended before the traffic began; nothing is left running", err=True)
        code = _INTERRUPTED_EXIT_CODE
    sys.exit(code)
