"""`rice-stream worker`."""

import asyncio

import click

from rice_stream.alerting.judge import Judge
from rice_stream.cli.base import Session, loading, pass_session
from rice_stream.meter.live_intensity import no_live_feed
from rice_stream.runtime.budgets_file import apply_budgets_file
from rice_stream.runtime.logs import configure_logging
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_feeds import open_live_feed
from rice_stream.runtime.opening_pipeline import open_pipeline
from rice_stream.runtime.opening_tracing import open_tracing
from rice_stream.store.revisions import head_revision, schema_change_told


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
    with loading():
        from rice_stream.worker.app import Worker
        from rice_stream.worker.metrics import Metrics

    settings = session.settings
    configure_logging(settings)
    engine = open_store(settings)
    apply_budgets_file(settings, engine)
    live = open_live_feed(settings)
    if live is not None:
        live.start()
    with loading():
        pipeline, writer = open_pipeline(settings, engine, live or no_live_feed)

    metrics = Metrics()
    judge = Judge(engine, lambda _budget, transition: metrics.alerts.labels(transition.state).inc())

    try:
        with schema_change_told(engine, head_revision()), open_tracing("rice-stream-worker") as tracing:

            async def run() -> None:
                with loading():  # Faust loads a part of itself when an app is made
                    made = Worker(settings, pipeline, judge, engine, metrics, tracing)
                await made.run(until_idle_s=until_idle)

            asyncio.run(run())
    finally:
        if live is not None:
            live.close()
        writer.close()
        engine.dispose()
