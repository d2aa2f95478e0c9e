"""Fixtures of the worker's tests: `deploy` and `deployment`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rice_stream.sandbox.stack.kafka import KafkaServer
from tests.support.databases import Databases
from tests.support.services import TopicFactory
from tests.support.worker_harness import Deploy, Deployment


@pytest.fixture
def deploy(kafka: KafkaServer, topic_factory: TopicFactory, tmp_path: Path) -> Iterator[Deploy]:
    """Make deployments; all their processes end with the test."""
    made: list[Deployment] = []

    def make(database: Databases, *, partitions: int = 4, topics: int = 1) -> Deployment:
        folder = tmp_path / f"deployment-{len(made)}"
        folder.mkdir()
        deployment = Deployment(
            bootstrap_servers=kafka.bootstrap_servers,
            topics=tuple(topic_factory(partitions=partitions, name="events") for _ in range(topics)),
            alerts_topic=topic_factory(partitions=2, name="alerts"),
            database_url=database.migrated(),
            folder=folder,
        )
        made.append(deployment)
        return deployment

    yield make
    for deployment in made:
        deployment.close()


@pytest.fixture
def deployment(deploy: Deploy, postgresql: Databases) -> Deployment:
    """A deployment on PostgreSQL."""
    return deploy(postgresql)
