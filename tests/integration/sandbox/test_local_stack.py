"""The local stack serves real records and rows, keeps them across crashes, and says why it cannot start."""

import socket
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.sandbox.stack.guard_process import is_alive
from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.sandbox.stack.postgres import PostgresServer, copy_install, wheel_install
from rice_stream.sandbox.stack.stack import local_stack
from tests.support.services import TopicFactory
from tests.support.waiting import wait_until

pytestmark = pytest.mark.services


def produce(bootstrap_servers: str, topic: str, value: bytes) -> None:
    """Send one record and have the broker confirm it."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    producer.produce(topic, value)
    assert producer.flush(20) == 0


def consume(kafka: KafkaServer, topic: str, count: int) -> list[bytes | None]:
    """Read the first `count` records of a topic, without a consumer group."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "unused", "log_level": 0})
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(kafka.topics()[topic])])
    values: list[bytes | None] = []

    def has_all() -> bool:
        for message in consumer.consume(count - len(values), timeout=0.1):
            assert message.error() is None
            values.append(message.value())
        return len(values) == count

    try:
        wait_until(has_all, 30, f"{count} records on {topic}")
    finally:
        consumer.close()
    return values


def execute(conninfo: str, statement: str) -> list[tuple[Any, ...]]:
    """Run one SQL statement in a transaction of its own; return its rows."""
    with psycopg.connect(conninfo) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_a_stack_serves_records_and_rows_keeps_them_and_sees_no_other_stack(
    kafka: KafkaServer, postgres: PostgresServer, topic_factory: TopicFactory, shared_directory: Path
) -> None:
    """What a kept stack held is served by the next one on the directory, at the same address; others are apart."""
    others = topic_factory(name="of-another-stack")
    produce(kafka.bootstrap_servers, others, b"yours")
    with local_stack(data_dir=shared_directory, keep=True, topics=["kept"], partitions=2) as first:
        assert first.postgres is not None
        assert first.kafka.topics() == {"kept": 2}
        assert "kept" not in kafka.topics()
        assert first.postgres.databases() == ["postgres", "rice"]
        assert "rice" not in postgres.databases()
        assert first.environment() == {
            "RICE_KAFKA_BOOTSTRAP_SERVERS": first.bootstrap_servers,
            "RICE_DATABASE_URL": first.database_url,
        }
        produce(first.bootstrap_servers, "kept", b"a record")
        execute(first.postgres.conninfo("rice"), "CREATE TABLE kept AS SELECT 42 AS answer")
        processes = [psutil.Process(first.kafka.pid), psutil.Process(first.postgres.pid)]
        address = first.bootstrap_servers
    assert not any(is_alive(process) for process in processes)
    assert consume(kafka, others, 1) == [b"yours"]

    with local_stack(data_dir=shared_directory, keep=True, topics=["kept"], partitions=2) as second:
        assert second.postgres is not None
        assert second.bootstrap_servers == address
        assert consume(second.kafka, "kept", 1) == [b"a record"]
        assert execute(second.postgres.conninfo("rice"), "SELECT answer FROM kept") == [(42,)]


def test_kafka_keeps_address_and_records_across_stop_and_kill_and_names_a_taken_port(
    kafka: KafkaServer, topic_factory: TopicFactory
) -> None:
    """Confirmed records survive an orderly stop and a SIGKILL, at the same address. When somebody took the port while it
    was down, the error says which port, and what to do."""
    topic, address = topic_factory(), kafka.bootstrap_servers
    produce(address, topic, b"1")
    kafka.stop()
    port = int(address.rpartition(":")[2])
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        with pytest.raises(ServiceUnavailableError, match=rf"port {port} .* is taken.*stop"):
            kafka.start()
    kafka.start()
    produce(address, topic, b"2")
    kafka.kill()
    assert not kafka.is_running
    kafka.start()
    produce(address, topic, b"3")
    assert kafka.bootstrap_servers == address
    assert set(consume(kafka, topic, 3)) == {b"1", b"2", b"3"}


def test_postgres_keeps_url_and_commits_across_restart_and_kill(postgres: PostgresServer) -> None:
    """Committed rows survive an orderly restart and a SIGKILL of all its processes, at the same URL."""
    url = postgres.create_database("survivor")
    conninfo = postgres.conninfo("survivor")
    execute(conninfo, "CREATE TABLE row (n int)")
    execute(conninfo, "INSERT INTO row VALUES (1)")
    postgres.restart()
    execute(conninfo, "INSERT INTO row VALUES (2)")
    with closing(psycopg.connect(conninfo)) as connection:
        connection.execute("INSERT INTO row VALUES (3)")  # never committed
        family = psutil.Process(postgres.pid).children(recursive=True)
        postgres.kill()
        assert not any(is_alive(process) for process in family)
    postgres.start()
    assert postgres.url("survivor") == url
    assert execute(conninfo, "SELECT n FROM row ORDER BY n") == [(1,), (2,)]
    postgres.drop_database("survivor")
    assert "survivor" not in postgres.databases()


def test_postgres_is_durable_by_default_tunable_and_needs_no_open_install(
    postgres: PostgresServer, shared_directory: Path
) -> None:
    """fsync and synchronous_commit are on; any setting can be given; binaries only root can reach serve root, too."""
    show = "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'work_mem')"
    assert dict(execute(postgres.conninfo(), show)) == {"fsync": "on", "synchronous_commit": "on", "work_mem": "4096"}

    install = copy_install(wheel_install(), shared_directory / "private")
    (shared_directory / "private").chmod(0o700)
    with PostgresServer(shared_directory / "tuned", settings={"work_mem": "8MB"}, install=install) as tuned:
        assert dict(execute(tuned.conninfo(), show))["work_mem"] == "8192"


def test_a_directory_in_use_is_an_error_that_says_so(kafka: KafkaServer, postgres: PostgresServer) -> None:
    """A second server on a running server's directory fails at once with what to do, and the first one lives on."""
    with pytest.raises(ServiceUnavailableError, match="another local stack runs on this directory"):
        KafkaServer(kafka.data_dir).start()
    second = PostgresServer(postgres.data_dir)
    with pytest.raises(ServiceUnavailableError, match="Another PostgreSQL runs on this directory"):
        second.start()
    second.close()
    with pytest.raises(UsageError, match="already running"):
        kafka.start()
    assert kafka.is_running
    assert execute(postgres.conninfo(), "SELECT 1") == [(1,)]


def test_a_failed_start_shows_the_end_of_the_log(shared_directory: Path) -> None:
    """A server that ends while starting is an error with the server's own words; nothing is left running."""
    postgres = PostgresServer(shared_directory / "postgres", settings={"wal_level": "nonsense"})
    with pytest.raises(ServiceUnavailableError, match=r'(?s)PostgreSQL in .*exit code.*"wal_level": "nonsense"'):
        postgres.start()
    assert not postgres.is_running
    postgres.close()
    kafka = KafkaServer(shared_directory / "kafka", config={"num.io.threads": "none"})
    with pytest.raises(ServiceUnavailableError, match=r"(?s)Kafka.*num\.io\.threads"):
        kafka.start()
    assert not kafka.is_running


def test_an_abandoned_start_ends_at_once(shared_directory: Path) -> None:
    """Ctrl-C while servers start in other threads: their processes are killed and their starts fail without waiting."""
    kafka = KafkaServer(shared_directory)
    outcome: list[BaseException] = []

    def start() -> None:
        try:
            kafka.start()
        except ServiceUnavailableError as error:
            outcome.append(error)

    starting = threading.Thread(target=start)
    starting.start()
    wait_until(lambda: kafka.is_running, 20, "the first process of the start")
    process = psutil.Process(kafka.pid)
    kafka.abandon()
    starting.join(timeout=10)
    assert not starting.is_alive()
    assert len(outcome) == 1
    assert not is_alive(process)
    assert not kafka.is_running


def test_topics_that_cannot_be_created_are_usage_errors(kafka: KafkaServer, topic_factory: TopicFactory) -> None:
    """An existing name, a bad name and an unknown setting are refused with the topic's name."""
    topic = topic_factory(partitions=1)
    assert kafka.topics()[topic] == 1
    with pytest.raises(UsageError, match=topic):
        kafka.create_topic(topic)
    with pytest.raises(UsageError, match="no spaces"):
        kafka.create_topic("no spaces please")
    with pytest.raises(UsageError, match="mistyped"):
        kafka.create_topic("mistyped", config={"retention.msec": "1"})


def test_keep_needs_a_directory() -> None:
    """Data can only be kept where the caller said."""
    with pytest.raises(UsageError, match="data_dir"), local_stack(keep=True):
        pass
