"""The real Kafka and the real PostgreSQL of a test process: one server each, many topics and databases.

A server that cannot start is an error of every test that uses it; nothing is skipped.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from rice_stream.sandbox.stack.guard import GUARD, temporary_directory
from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.sandbox.stack.postgres import PostgresServer
from rice_stream.sandbox.stack.server import Server


class TopicFactory(Protocol):
    """Creates a topic of its own for the test and returns the name."""

    def __call__(self, *, partitions: int = 4, name: str = "test", config: dict[str, str] | None = None) -> str: ...


@pytest.fixture
def shared_directory() -> Iterator[Path]:
    """A temporary directory that PostgreSQL's account may enter also when root runs the tests (unlike tmp_path)."""
    directory = temporary_directory("rice-test-")
    yield directory
    GUARD.delete_directory(directory)


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """The session's Kafka. A test may stop, kill and restart it, and leaves it running."""
    directory = temporary_directory("rice-tests-kafka-")
    # Tests of crashes would otherwise wait 6 s and more for the group to notice each.
    # The cleaner of compacted topics sleeps for 15 s otherwise, also when it is told of a shorter pause.
    config = {"group.min.session.timeout.ms": "1000", "log.cleaner.backoff.ms": "100"}
    with KafkaServer(directory, config=config) as server:
        yield server
        server.kill()  # quicker than a stop, and nobody needs its data
    GUARD.delete_directory(directory)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's PostgreSQL. A test may stop, kill and restart it, and leaves it running.

    TEST_POSTGRES names the folder (with `bin`, `lib` and `share`) of another version than the wheel's.
    """
    directory = temporary_directory("rice-tests-postgres-")
    other = os.environ.get("TEST_POSTGRES")
    with PostgresServer(directory, install=Path(other) if other else None) as server:
        yield server
        server.kill()
    GUARD.delete_directory(directory)


def start_again(server: Server) -> None:
    """A test that failed half-way may have left the server down: that must not fail those after it."""
    if not server.is_running:
        server.start()


@pytest.fixture
def topic_factory(kafka: KafkaServer) -> TopicFactory:
    """Create topics that no other test has."""
    start_again(kafka)

    def create(*, partitions: int = 4, name: str = "test", config: dict[str, str] | None = None) -> str:
        topic = f"{name}-{secrets.token_hex(4)}"
        kafka.create_topic(topic, partitions, config)
        return topic

    return create
