"""`check` with a real broker and a real PostgreSQL."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import make_url

from rice_stream.runtime.checks import run_checks
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from tests.support.databases import Databases
from tests.support.services import TopicFactory


def now() -> datetime:
    return datetime.now(UTC)


def checked(environment: dict[str, str], clock: Callable[[], datetime] = now) -> dict[str, Any]:
    """Check -> (ok, detail), and the verdict."""
    answer = run_checks(load_settings(environment=environment), now=clock)
    return {
        **{check["name"]: (check["ok"], check["detail"]) for check in answer["checks"]},
        "verdict": (answer["ok"], answer["reachable"]),
    }


def test_a_whole_deployment_is_well_and_each_fault_is_seen(
    kafka: KafkaServer, topic_factory: TopicFactory, postgresql: Databases
) -> None:
    """Unmigrated, migrated, a clock that is off, a topic that is not there, a database that does not exist."""
    url = postgresql.empty()
    environment = {
        "RICE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "RICE_KAFKA_GROUP_ID": "nobody-yet",
        "RICE_EVENTS_TOPICS": topic_factory(partitions=2),
        "RICE_ALERTS_TOPIC": topic_factory(partitions=1),
        "RICE_DATABASE_URL": url,
    }
    before = checked(environment)
    assert (before["verdict"], before["schema"][0]) == ((False, True), False)
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()

    well = checked(environment)
    assert well["verdict"] == (True, True)
    assert well[f"topic {environment['RICE_EVENTS_TOPICS']}"] == (True, "2 partition(s)")
    assert "is 0 record(s) behind on 2 partition(s)" in well["consumer lag"][1]

    assert well["row-level security"][0] is True
    assert "need not be on loopback" in well["row-level security"][1]
    reached = checked({**environment, "RICE_HTTP_HOST": "0.0.0.0"})  # noqa: S104
    assert (reached["verdict"], reached["row-level security"][0]) == ((False, True), False)
    assert "is a superuser" in reached["row-level security"][1]

    off = checked(environment, lambda: now() + timedelta(minutes=2))
    assert off["verdict"] == (False, True)
    assert off["clock"][0] is False
    assert "120" in off["clock"][1] or "119" in off["clock"][1]

    missing = checked({**environment, "RICE_ALERTS_TOPIC": "not-there"})
    assert missing["topic not-there"] == (False, "does not exist")

    nowhere = make_url(url).set(database="not_there").render_as_string(hide_password=False)
    away = checked({**environment, "RICE_DATABASE_URL": nowhere})
    assert (away["verdict"], away["database"][0]) == ((False, False), False)
