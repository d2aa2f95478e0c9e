"""`rice-stream worker`."""

import asyncio
import time

import click
import yaml
from sqlalchemy import Engine

from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget_file
from rice_stream.cli.base import Session, pass_session
from rice_stream.errors import UsageError
from rice_stream.feeds.intensities import open_live_feed
from rice_stream.meter.factors import no_live_feed
from rice_stream.runtime.logs import configure_logging
from rice_stream.runtime.opening import open_pipeline, open_store
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store import budget_store
from rice_stream.store.engine import writing
from rice_stream.store.watching import watch_users_of


@click.command()
@click.option(
    "--until-idle",
    type=click.FloatRange(min=0.1),
    metavar="S",
    help="Stop once nothing has arrived for S seconds and the lag is 0.",
)
@pass_session
def worker(session: Session, until_idle: float | None) -> None:
    """Consume events, estimate, account, judge budgets; until SIGTERM or SIGINT.

    Start as many workers as the events topics have partitions; they share them. What a worker has not stored when it
    stops is read again by the next.

    Example: rice-stream worker --until-idle 10
    """
    from rice_stream.worker.app import Worker
    from rice_stream.worker.metrics import Metrics

    settings = session.settings
    configure_logging(settings)
    engine = open_store(settings)
    apply_budgets_file(settings, engine)
    live = open_live_feed(settings)
    if live is not None:
        live.start()
    pipeline, writer = open_pipeline(settings, engine, live or no_live_feed)

    def judge(metrics: Metrics) -> Judge:
        return Judge(engine, lambda _budget, transition: metrics.alerts.labels(transition.state).inc())

    async def run() -> None:
        await Worker(settings, pipeline, judge, engine).run(until_idle_s=until_idle)

    try:
        asyncio.run(run())
    finally:
        if live is not None:
            live.close()
        writer.close()
        engine.dispose()


def apply_budgets_file(settings: Settings, engine: Engine) -> None:
    """Set the budgets of RICE_BUDGETS_FILE; budgets that it does not name stay as they are."""
    if settings.budgets_file is None:
        return
    try:
        loaded = yaml.safe_load(settings.budgets_file.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"RICE_BUDGETS_FILE: cannot read {settings.budgets_file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{settings.budgets_file} is not YAML: {error}") from error
    budgets = parse_budget_file(loaded)
    watch_users_of(engine, budgets)
    with writing(engine) as connection:
        for budget in budgets:
            budget_store.save_budget(connection, budget, time.time_ns() // 1000)
