"""Worker, server and commands behind PgBouncer in transaction mode: no session is anybody's."""

import json
import re
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.sandbox.stack.postgres import PostgresServer
from tests.support.databases import Databases
from tests.support.pgbouncer import PgBouncer
from tests.support.services import TopicFactory
from tests.support.worker_harness import CommandProcess, Deployment
from tests.support.worker_truth import EventMaker, Sender, assert_exact


@pytest.fixture
def pooled(shared_directory: Path, postgres: PostgresServer, postgresql: Databases) -> Iterator[str]:
    """The URL of an empty database through a pooler with five server sessions for everybody."""
    database = make_url(postgresql.empty()).database
    assert database is not None
    with PgBouncer(shared_directory / "pooler", postgres, sessions=5) as pooler:
        yield pooler.url(database)


def test_worker_server_and_commands_go_through_a_pooler(
    pooled: str, kafka: KafkaServer, topic_factory: TopicFactory, tmp_path: Path
) -> None:
    """Migrated, accounted by two workers, checked and read over HTTP, exactly, on five sessions of the server together."""
    events = topic_factory(partitions=4, name="events")
    deployment = Deployment(
        bootstrap_servers=kafka.bootstrap_servers,
        topics=(events,),
        alerts_topic=topic_factory(partitions=2, name="alerts"),
        database_url=pooled,
        folder=tmp_path,
    )
    with closing(deployment):
        assert deployment.run("migrate")[0] == 0
        server = CommandProcess(("serve",), {**deployment.environment, "RICE_HTTP_PORT": "0"}, tmp_path / "server.log")
        try:
            other = deployment.start_worker()
            sender, make = Sender(deployment), EventMaker(15)
            for _ in range(2000):
                sender.send_event(make())
            sender.confirm()
            other.until(lambda: deployment.recorded() == len(sender.truth.events), "all events to be recorded")
            assert other.stop() == 0
            deployment.finish()
            assert_exact(deployment, sender.truth)
            assert deployment.json("verify")["ok"]
            address = server.until(lambda: re.findall(r"http://\S+", server.log), "the server to listen")[0]
            token = deployment.json("token", "create", "--name", "pooled", "--role", "reader")["token"]
            asked = urllib.request.Request(f"{address}/v1/totals?from=2020-01-01&to=2030-01-01")  # noqa: S310  # our own server
            asked.add_header("Authorization", f"Bearer {token}")
            with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
                assert json.load(answer)["total"]["prompts"] == len(sender.truth.events)
        finally:
            server.close()
