"""`rice-stream worker`."""

import asyncio
import sys
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import click

from rice_stream.alerting.judge import Judge
from rice_stream.cli.base import Session, fail, loading, pass_session
from rice_stream.errors import RiceError, UsageError
from rice_stream.meter.live_intensity import no_live_feed
from rice_stream.runtime.budgets_file import apply_budgets_file
from rice_stream.runtime.logs import configure_logging
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_feeds import open_live_feed
from rice_stream.runtime.opening_pipeline import open_pipeline
from rice_stream.runtime.opening_tracing import open_tracing
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.revisions import head_revision, schema_change_told

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

PROCESSES_MAX = 256


@click.command()
@click.option(
    "--until-idle",
    type=click.FloatRange(min=0.1),
    metavar="S",
    help="Stop once nothing has arrived for S seconds and the lag is 0.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, PROCESSES_MAX),
    default=1,
    show_default=True,
    metavar="N",
    help="Worker processes, run as one: about one for each core that Kafka and the database leave.",
)
@pass_session
def worker(session: Session, until_idle: float | None, processes: int) -> None:
    """Consume events, estimate, account, judge budgets; until SIGTERM or SIGINT.

    Start as many workers as the events topics have partitions; they share them. What a worker has not stored when it
    stops is read again by the next.

    Example: rice-stream worker --processes 4
    """
    configure_logging(session.settings)
    if processes == 1:
        work(session.settings, until_idle)
        return
    engine = open_store(session.settings)  # what is wrong with it is said once
    engine.dispose()
    if engine.dialect.name == "sqlite":
        raise UsageError("--processes: SQLite has one writer, so one process; use PostgreSQL for more")
    sys.exit(_work_together(session.settings, until_idle, processes))


def work(settings: Settings, until_idle: float | None, asked_over: Connection | None = None) -> None:
    """Be a worker until it is asked to stop; `asked_over`: it is shown over this pipe and not over HTTP."""
    with loading():
        from rice_stream.worker.app import Worker
        from rice_stream.worker.metrics import Metrics
        from rice_stream.worker.process_answers import shown_over
        from rice_stream.worker.process_tuning import tune_process

    tune_process()
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
                    show = None if asked_over is None else shown_over(asked_over)
                    made = Worker(settings, pipeline, judge, engine, metrics, tracing, show)
                await made.run(until_idle_s=until_idle)

            asyncio.run(run())
    finally:
        if live is not None:
            live.close()
        writer.close()
        engine.dispose()


def _work_together(settings: Settings, until_idle: float | None, count: int) -> int:
    """Start the processes and stay until all have ended; the exit code for all of them."""
    from multiprocessing import get_context

    from rice_stream.worker.deadline import stop_limit_s
    from rice_stream.worker.health import served_over_http
    from rice_stream.worker.processes import Processes

    spawned = get_context("spawn")

    def start(number: int, connection: Connection) -> "BaseProcess":
        process = spawned.Process(
            target=work_as_one_of_several, args=(settings, until_idle, number, connection), name=f"rice-worker-{number}"
        )
        process.start()
        return process

    together = Processes(
        count, start, stop_limit_s=stop_limit_s(settings.store_retry_s), until_idle=until_idle is not None
    )
    with served_over_http(settings.http_host, settings.worker_http_port, together):
        return together.run()


def work_as_one_of_several(settings: Settings, until_idle: float | None, number: int, connection: Connection) -> None:
    """What a process that was started beside others does: work, and end with the exit code that says why."""
    configure_logging(settings, process=number)
    try:
        work(settings, until_idle, connection)
    except RiceError as error:
        fail(error)
