"""Workers as users run them: `rice-stream worker` processes on a topic, a group and a database of their own.

The fixtures for it are in `worker_fixtures`.
"""

import json
import shutil
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psutil
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, text

from rice_stream.runtime.settings.batches import BatchSettings
from rice_stream.sandbox.stack.processes import ChildProcess
from rice_stream.store.engine import open_engine
from tests.support.databases import Databases
from tests.support.places import ROOT
from tests.support.waiting import wait_until

T = TypeVar("T")
RICE_STREAM = Path(sys.executable).with_name("rice-stream")
SESSION_TIMEOUT_S = 2
"""How soon the group notices a killed member; the tests' broker allows it (its own default is 6 s or more)."""
AS_OFTEN_AS_DEPLOYED = {"batch_wait_s": BatchSettings.model_fields["batch_wait_s"].default}
"""Batches as far apart as where nobody sets anything; others here follow each other as fast as tests are short."""
STOP_DEADLINE_S = 60.0
WORK_DEADLINE_S = 120.0
"""Far more than anything here takes on a quiet machine; a wait ends as soon as its condition holds."""
_NO_COORDINATOR_YET = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)


class CommandProcess:
    """A `rice-stream` command as a child process of its own, with its output in a log file."""

    def __init__(self, arguments: tuple[str, ...], environment: Mapping[str, str], log: Path) -> None:
        # A child of ours gets a small environment: `env` adds the settings and becomes the command, with the same pid.
        # What runs is this checkout, whichever one the interpreter's environment has installed.
        environment = {"PYTHONPATH": str(ROOT), **environment}
        settings = [f"{name}={value}" for name, value in environment.items()]
        env = shutil.which("env")
        assert env is not None
        self.name = log.stem
        self._child = ChildProcess(self.name, [env, *settings, RICE_STREAM, *arguments], log=log)

    @property
    def log(self) -> str:
        """All it has said so far."""
        return self._child.log.read_text("utf-8", errors="replace")

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._child.exit_code

    def until(self, condition: Callable[[], T], what: str, deadline_s: float = WORK_DEADLINE_S) -> T:
        """Wait for the condition and return its answer; the command must not end meanwhile."""

        def holds() -> T:
            answer = condition()
            assert answer or self.exit_code is None, f"{self.name} ended with {self.exit_code} before {what}"
            return answer

        try:
            return wait_until(holds, deadline_s, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.name} said:\n{self.log}") from None

    def kill(self) -> None:
        """SIGKILL, as a crash of the machine would end it. It must not have ended by itself before."""
        assert self.exit_code is None, f"{self.name} had ended by itself with {self.exit_code}:\n{self.log}"
        self._child.kill()

    def request_stop(self) -> None:
        """SIGTERM; returns at once."""
        psutil.Process(self.pid).send_signal(signal.SIGTERM)

    def wait(self, deadline_s: float = STOP_DEADLINE_S) -> int:
        """Its exit code; killed at the deadline (the code is -9 then)."""
        return self._child.wait(deadline_s)

    def stop(self, deadline_s: float = STOP_DEADLINE_S) -> int:
        """SIGTERM, and the exit code that follows."""
        return self._child.stop(deadline_s)

    def close(self) -> None:
        """End it whatever it does."""
        if self.exit_code is None:
            self._child.kill()


class WorkerProcess(CommandProcess):
    """`rice-stream worker`."""

    @property
    def address(self) -> str:
        """Where /healthz, /readyz and /metrics are, once it has said so."""

        def said() -> str | None:
            lines = [line for line in self.log.splitlines() if "health and metrics at " in line]
            return lines[0].rpartition(" ")[2] if lines else None

        return str(self.until(said, f"{self.name} to say where it listens"))

    def get(self, path: str) -> tuple[int, str]:
        """(status, body) of a request."""
        try:
            with urllib.request.urlopen(self.address + path, timeout=10) as answer:  # noqa: S310 - our own address
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self) -> dict[str, float]:
        """Every sample, named `name{label=value,...}` with its labels in order; nothing when it does not answer."""
        try:
            status, body = self.get("/metrics")
        except OSError:
            return {}
        assert status == 200
        samples: dict[str, float] = {}
        for family in text_string_to_metric_families(body):
            for sample in family.samples:
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return samples

    def has_committed(self) -> bool:
        """Whether it has stored a batch."""
        return self.metrics().get("rice_batches_total", 0) > 0


class Deployment:
    """One installation: topics, a consumer group, a database, and the commands started on them."""

    def __init__(
        self, *, bootstrap_servers: str, topics: tuple[str, ...], alerts_topic: str, database_url: str, folder: Path
    ) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.topics = topics
        self.alerts_topic = alerts_topic
        self.group = f"group-{topics[0]}"
        self.folder = folder
        self.engine: Engine = open_engine(database_url)
        self.environment = {
            "RICE_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "RICE_KAFKA_GROUP_ID": self.group,
            "RICE_KAFKA_SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S),
            "RICE_EVENTS_TOPICS": ",".join(topics),
            "RICE_ALERTS_TOPIC": alerts_topic,
            "RICE_DATABASE_URL": database_url,
            "RICE_WORKER_HTTP_PORT": "0",
        }
        self._commands: list[CommandProcess] = []

    @property
    def topic(self) -> str:
        return self.topics[0]

    def start_worker(self, *arguments: str, **settings: object) -> WorkerProcess:
        """A worker of the group; `settings` are RICE_* names without the prefix. Its batches are as frequent as tests are short."""
        log = self.folder / f"worker-{len(self._commands)}.log"
        worker = WorkerProcess(("worker", *arguments), self._with({"batch_wait_s": 0.05} | settings), log)
        self._commands.append(worker)
        return worker

    def finish(self, *, idle_s: float = 0.2, **settings: object) -> WorkerProcess:
        """A worker that works until nothing has been left to do for a while, and says so with exit code 0."""
        worker = self.start_worker("--until-idle", str(idle_s), **settings)
        assert worker.wait(WORK_DEADLINE_S) == 0, worker.log
        return worker

    def run(self, *arguments: str, **settings: object) -> tuple[int, str]:
        """(exit code, output) of a command that ends by itself."""
        log = self.folder / f"command-{len(self._commands)}.log"
        command = CommandProcess(arguments, self._with(settings), log)
        self._commands.append(command)
        return command.wait(WORK_DEADLINE_S), command.log

    def json(self, *arguments: str) -> Any:
        """What a command that succeeds prints with --json."""
        exit_code, output = self.run(*arguments, "--json")
        assert exit_code == 0, output
        return json.loads(output.splitlines()[-1])

    def _with(self, settings: Mapping[str, object]) -> dict[str, str]:
        return {**self.environment, **{f"RICE_{name.upper()}": str(value) for name, value in settings.items()}}

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.engine.connect().execution_options(rice_read_only=True) as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def value(self, statement: str, **values: object) -> Any:
        """The one value of a query."""
        ((value,),) = self.rows(statement, **values)
        return value

    def recorded(self) -> int:
        """Prompts recorded so far, by the workers' own count of each partition."""
        return int(self.value("SELECT COALESCE(SUM(recorded), 0) FROM kafka_progress"))

    def ends(self) -> dict[tuple[str, int], int]:
        """(topic, partition) -> the offset that the next record will get."""
        consumer = self._consumer()
        try:
            return {
                (p.topic, p.partition): consumer.get_watermark_offsets(p, timeout=30)[1]
                for p in self._partitions(consumer)
            }
        finally:
            consumer.close()

    def committed_offsets(self) -> dict[tuple[str, int], int | None]:
        """(topic, partition) -> the group's committed offset; None where there is none."""
        consumer = self._consumer()
        partitions = self._partitions(consumer)

        def asked() -> list[TopicPartition] | None:
            try:
                return consumer.committed(partitions, timeout=30)
            except KafkaException as error:
                # Right after a group's first use, or a start of the broker, its coordinator may not be there yet.
                if error.args[0].retriable() or error.args[0].code() == KafkaError.NOT_COORDINATOR:
                    return None
                raise

        try:
            found = wait_until(asked, 30, "the group's coordinator")
            return {(p.topic, p.partition): p.offset if p.offset >= 0 else None for p in found or ()}
        finally:
            consumer.close()

    def _consumer(self) -> Consumer:
        return Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": self.group, "log_level": 0})

    def _partitions(self, consumer: Consumer) -> list[TopicPartition]:
        known = consumer.list_topics(timeout=30).topics
        return [TopicPartition(topic, number) for topic in self.topics for number in sorted(known[topic].partitions)]

    def assignments(self) -> dict[str, frozenset[int]]:
        """Group member -> its partitions of the first topic; none while the group's coordinator is not there yet."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        try:
            group = admin.describe_consumer_groups([self.group], request_timeout=30)[self.group].result()
        except KafkaException as error:
            if error.args[0].code() in _NO_COORDINATOR_YET:
                return {}
            raise
        return {
            member.member_id: frozenset(p.partition for p in member.assignment.topic_partitions)
            for member in group.members
            if member.assignment is not None
        }

    def alerts_on_topic(self) -> list[tuple[str, dict[str, Any]]]:
        """(key, message) of every record on the alerts topic, in the order of each partition."""
        consumer = self._consumer()
        try:
            partitions = [
                TopicPartition(self.alerts_topic, number, 0)
                for number in consumer.list_topics(self.alerts_topic, timeout=30).topics[self.alerts_topic].partitions
            ]
            expected = sum(consumer.get_watermark_offsets(p, timeout=30)[1] for p in partitions)
            consumer.assign(partitions)
            messages: list[Any] = []

            def all_read() -> bool:
                messages.extend(consumer.consume(500, timeout=0.5))
                return len(messages) >= expected

            wait_until(all_read, 30, f"{expected} alerts to be read")
            return [((m.key() or b"").decode(), json.loads(m.value())) for m in messages]
        finally:
            consumer.close()

    def close(self) -> None:
        """End every command that still runs."""
        for command in self._commands:
            with suppress(psutil.NoSuchProcess):
                command.close()
        self.engine.dispose()


class Deploy(Protocol):
    """Makes a deployment on a new topic (or several) of the session's Kafka."""

    def __call__(self, database: Databases, *, partitions: int = 4, topics: int = 1) -> Deployment: ...


def waiting_transactions(deployment: Deployment) -> int:
    """Database sessions that wait for somebody else's lock."""
    return int(
        deployment.value(
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    )
