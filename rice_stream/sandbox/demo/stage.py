"""The stage: a real Kafka, a real database with our schema, budgets, and the worker and the server as processes of their own."""

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from rice_stream.alerting.budgets import set_budgets
from rice_stream.errors import ServiceUnavailableError
from rice_stream.meter.factors import FactorPolicy
from rice_stream.reports.figures import read_versions
from rice_stream.runtime.opening_pipeline import open_pipeline
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.runtime.settings.settings import PREFIX, Settings
from rice_stream.sandbox.demo.budgets import demo_budgets
from rice_stream.sandbox.demo.forecast import forecast
from rice_stream.sandbox.demo.options import DemoOptions
from rice_stream.sandbox.demo.product_processes import ServerProcess, WorkerProcess
from rice_stream.sandbox.demo.view import StageInfo
from rice_stream.sandbox.stack.stack import LocalStack, local_stack
from rice_stream.store.audit import Actor
from rice_stream.store.engine import Engine, open_engine, store_errors
from rice_stream.store.migrate import migrate
from rice_stream.store.scope import EVERYTHING

PARTITIONS = 4

FORECAST_S = 40.0
"""How much of the traffic is estimated beforehand, to size the budgets."""

_POLICY_SETTINGS = (
    "method",
    "reference_dir",
    "default_input_tokens",
    "default_output_tokens",
    *({field.name for field in fields(FactorPolicy)} - {"profiles", "overrides"}),
)
_POLICY_TABLES = ("serving_profiles", "serving_overrides")
"""What the demo takes from the user's settings: how to estimate. Where things run is the demo's own business."""

_LOG_LINES = 25

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """All that runs, ready for traffic."""

    stack: LocalStack
    settings: Settings
    engine: Engine
    worker: WorkerProcess
    server: ServerProcess
    info: StageInfo

    def check(self, *, worker: bool = True) -> None:
        """Raise, with the end of its log, what has ended that should not have (`worker`: the worker as well)."""
        for server in (self.stack.kafka, self.stack.postgres):
            if server is not None and not server.is_running:
                tail = "\n".join(server.log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
                raise ServiceUnavailableError(f"{server.name} has ended. The end of its log:\n{tail}")
        self.server.check()
        if worker:
            self.worker.check()


@contextmanager
def open_stage(options: DemoOptions, settings: Settings, say: Say) -> Iterator[Stage]:
    """Start everything, yield it, and leave nothing behind, however the block ends.

    Raises:
        ServiceUnavailableError: Kafka or the database could not be started; with the end of its log.
        RiceError: the worker or the server could not be started; with the end of its log.
    """
    database = "PostgreSQL" if options.store == "postgres" else "SQLite"
    say(f"starting Kafka and {database}" if options.store == "postgres" else "starting Kafka")
    topics = [settings.events_topics[0], settings.alerts_topic]
    with local_stack(store=options.store, partitions=PARTITIONS, topics=topics) as stack:
        environment = demo_environment(settings, stack)
        own = load_settings(environment=environment)
        engine = open_engine(stack.database_url)
        with store_errors("migrate"):
            migrate(engine)
        say("starting the worker and the server")
        worker, server = WorkerProcess(environment, stack.data_dir), ServerProcess(environment, stack.data_dir)
        try:
            say("sizing budgets for the traffic to come")
            _set_budgets(own, engine, options)
            method_version, factor_version = read_versions(engine, EVERYTHING)
            say("waiting for the worker")
            worker.wait_until_consuming(stack.bootstrap_servers, own.kafka_group_id)
            say("waiting for the server")
            link = server.wait_until_serving()
            info = StageInfo(
                broker=stack.bootstrap_servers,
                topic=own.events_topics[0],
                alerts_topic=own.alerts_topic,
                partitions=PARTITIONS,
                database=database,
                worker_url=worker.url,
                server_url=server.url,
                sign_in_link=link,
                method_version=method_version,
                factor_version=factor_version,
                environment_file=str(_write_environment(stack.data_dir, environment)),
            )
            yield Stage(stack, own, engine, worker, server, info)
        finally:
            server.kill()
            worker.kill()
            engine.dispose()


def demo_environment(settings: Settings, stack: LocalStack) -> dict[str, str]:
    """The settings of the demo's worker and server, as RICE_* variables: the stack's addresses, the user's way to estimate."""
    chosen = {name: getattr(settings, name) for name in _POLICY_SETTINGS}
    for name in ("reference_dir", "site_file"):
        path = getattr(settings, name)
        chosen[name] = path and path.resolve()
    chosen |= {name: json.dumps(getattr(settings, name).written) for name in _POLICY_TABLES}
    topics = {"events_topics": settings.events_topics[0], "alerts_topic": settings.alerts_topic}
    return {
        **{f"{PREFIX}{name.upper()}": str(value) for name, value in (chosen | topics).items() if value is not None},
        **stack.environment(),
    }


def _set_budgets(settings: Settings, engine: Engine, options: DemoOptions) -> None:
    pipeline, writer = open_pipeline(settings, engine, proposes="never")
    try:
        expected = forecast(pipeline, engine, options, datetime.now(UTC), FORECAST_S)
    finally:
        writer.close()
    set_budgets(engine, demo_budgets(expected, options.seconds), time.time_ns() // 1000, Actor("command line", "demo"))


def _write_environment(directory: Path, environment: dict[str, str]) -> Path:
    """A file for a second terminal to source: there every rice-stream command speaks to the demo."""
    file = directory / "demo.env"
    settings = [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()]
    commands = shlex.quote(str(Path(sys.executable).parent))
    file.write_text("".join(settings) + f'export PATH={commands}:"$PATH"\n', encoding="utf-8")
    return file
