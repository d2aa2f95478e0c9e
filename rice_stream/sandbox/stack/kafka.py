"""A real Apache Kafka as a child process: one node, broker and controller in one, on loopback ports."""

import base64
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.kafka.client import open_admin
from rice_stream.kafka.config import KafkaConfig
from rice_stream.sandbox.stack.jars import ensure_jars
from rice_stream.sandbox.stack.java import class_archive, class_path, find_java
from rice_stream.sandbox.stack.ports import LOOPBACK, accepts_connections, free_ports, is_free
from rice_stream.sandbox.stack.processes import ChildProcess, poll_until, run_to_end
from rice_stream.sandbox.stack.server import Server

DEFAULT_PARTITIONS = 4

_FORMAT_DEADLINE_S = 60.0
_ADMIN_DEADLINE_S = 30.0
_PROBE_DEADLINE_S = 1.0

_log = logging.getLogger(__name__)


class KafkaServer(Server):
    """Apache Kafka in `data_dir`, with its topics, ports and identity kept there."""

    name = "Kafka"

    def __init__(
        self,
        data_dir: Path,
        *,
        config: Mapping[str, str] | None = None,
        heap_mib: int = 768,
        jvm_options: Sequence[str] = (),
    ) -> None:
        """Nothing is started or written yet.

        Args:
            data_dir: created when missing; a directory with a Kafka in it is opened as it is.
            config: properties of the broker that replace or extend ours.
            heap_mib: the most memory that the JVM's heap takes, in MiB.
            jvm_options: passed to `java` as they are.
        """
        super().__init__(data_dir)
        self._config = dict(config or {})
        self._jvm_options = [f"-Xms{min(heap_mib, 256)}m", f"-Xmx{heap_mib}m", *jvm_options]
        self._properties_file = self.data_dir / "server.properties"
        self._ports = self._kept_ports()
        self._jars: list[Path] = []

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address, from the first start on."""
        if not self._ports:
            raise UsageError(f"Kafka in {self.data_dir} has no address before its first start: start it first")
        return f"{LOOPBACK}:{self._ports[0]}"

    def _kept_ports(self) -> list[int]:
        """The broker's and the controller's port of an earlier run: the formatted storage knows its controller's."""
        if not self._properties_file.is_file():
            return []
        lines = self._properties_file.read_text().splitlines()
        listeners = next(line for line in lines if line.startswith("listeners="))
        return [int(listener.rpartition(":")[2]) for listener in listeners.split(",")]

    def _prepare(self) -> None:
        self._jars = ensure_jars(_log.info)
        if not self._ports:
            self._ports = free_ports(2)
        for port in self._ports:
            if not is_free(port):
                raise ServiceUnavailableError(
                    f"Kafka in {self.data_dir} cannot start: port {port} on {LOOPBACK} is taken. If another local "
                    "stack runs on this directory, stop that one; otherwise stop what listens there or use a new "
                    "directory"
                )
        temporary = self.data_dir / "tmp"
        temporary.mkdir(exist_ok=True)
        self._properties_file.write_text("".join(f"{key}={value}\n" for key, value in self._properties().items()))
        if not (self.data_dir / "log" / "meta.properties").is_file():
            self._format()

    def _properties(self) -> dict[str, str]:
        broker, controller = (f"{LOOPBACK}:{port}" for port in self._ports)
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": controller,
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.data_dir / "log"),
            "num.partitions": str(DEFAULT_PARTITIONS),
            "auto.create.topics.enable": "false",
            # One node cannot replicate. Few partitions for Kafka's own topics: 50 each would be made at first use.
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "4",
            # A first consumer need not wait for others that may join.
            "group.initial.rebalance.delay.ms": "0",
            # After kill -9 the restarted broker is let in again only when its old session has timed out (default 9 s).
            # Not shorter: a disk that stalls for seconds must not make the controller shut out a broker that lives.
            "broker.session.timeout.ms": "6000",
            "broker.heartbeat.interval.ms": "1000",
            # Records carry the time of the traffic they replay, which may be years ago: age must not delete them.
            "log.retention.ms": "-1",
            **self._config,
        }

    def _format(self) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        argv: list[str | Path] = [
            *self._java(["-XX:TieredStopAtLevel=1"]),  # the quick compiler alone: this runs for a second
            "kafka.tools.StorageTool",
            "format",
            "--ignore-formatted",
            "--standalone",
            f"--cluster-id={cluster_id}",  # in one word, because it may begin with a hyphen
            f"--config={self._properties_file}",
        ]
        log = self.data_dir / "format.log"
        run_to_end(self._spawn(lambda: ChildProcess("formatting Kafka's storage", argv, log=log)), _FORMAT_DEADLINE_S)

    def _java(self, options: Sequence[str]) -> list[str]:
        java = find_java()
        archive = class_archive(java, self._jars)
        return [
            str(java),
            *options,
            *([f"-XX:SharedArchiveFile={archive}"] if archive.is_file() else []),
            # Everything temporary lies in the data directory: kill -9 must not leave files elsewhere.
            f"-Djava.io.tmpdir={self.data_dir / 'tmp'}",
            "-XX:-UsePerfData",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            class_path(self._jars),
        ]

    def _spawn_server(self) -> ChildProcess:
        options = [*self._jvm_options, "-XX:+ExitOnOutOfMemoryError"]
        return ChildProcess("Kafka", [*self._java(options), "kafka.Kafka", self._properties_file], log=self.log)

    def _answers(self) -> bool:
        # The port first: connecting to a closed one makes the client wait before it tries again.
        if not accepts_connections(self._ports[0]):
            return False
        try:
            return bool(self._admin().list_topics(timeout=_PROBE_DEADLINE_S).brokers)
        except KafkaException:
            return False

    def _advice(self, log_tail: str) -> str:
        if "Address already in use" in log_tail or "Failed to acquire lock" in log_tail:
            return "Another process uses its ports or its directory: stop that one, or use a new directory. "
        return ""

    def _admin(self) -> AdminClient:
        return open_admin(KafkaConfig(self.bootstrap_servers), {"log_level": 0})

    def topics(self) -> dict[str, int]:
        """Return the number of partitions of every topic, Kafka's own left out."""
        return {
            name: len(topic.partitions)
            for name, topic in self._admin().list_topics(timeout=_ADMIN_DEADLINE_S).topics.items()
            if not name.startswith("__")
        }

    def create_topic(
        self, name: str, partitions: int = DEFAULT_PARTITIONS, config: Mapping[str, str] | None = None
    ) -> None:
        """Create a topic and wait until each of its partitions can be written to.

        Raises:
            UsageError: Kafka refuses the name or a setting, or the topic exists.
            ServiceUnavailableError: Kafka does not answer.
        """
        admin = self._admin()
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        deadline_s = time.monotonic() + _ADMIN_DEADLINE_S
        try:
            admin.create_topics([topic], request_timeout=_ADMIN_DEADLINE_S)[name].result()
        except KafkaException as error:
            reason = error.args[0]
            if reason.retriable():
                raise ServiceUnavailableError(f"Kafka at {self.bootstrap_servers}: {reason.str()}") from error
            raise UsageError(f"topic {name!r} cannot be created: {reason.str()}") from error

        def has_leaders() -> bool:
            created = admin.list_topics(name, timeout=_ADMIN_DEADLINE_S).topics[name]
            return len(created.partitions) == partitions and all(p.leader >= 0 for p in created.partitions.values())

        if not poll_until(has_leaders, deadline_s - time.monotonic()):
            raise ServiceUnavailableError(
                f"topic {name!r} has no leader for each partition after {_ADMIN_DEADLINE_S:g} s: see {self.log}"
            )
