"""`check` without services: masked settings, and each thing that can be missing named with what to do."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rice_stream.errors import ServiceUnavailableError
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import settings_text
from rice_stream.runtime import checks
from rice_stream.runtime.checks import MASK, effective_settings, run_checks
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.attribution_store import propose_version
from rice_stream.store.database_facts import masked_url
from tests.support.databases import Databases
from tests.support.reports_store import Store, open_store

SECRETS = {
    "RICE_KAFKA_SASL_PASSWORD": "secret-1",
    "RICE_KAFKA_SASL_OAUTH_TOKEN": "secret-2",
    "RICE_KAFKA_SSL_KEY_PASSWORD": "secret-3",
    "RICE_LIVE_FEED_TOKEN": "secret-4",
    "RICE_DATABASE_URL": "postgresql://rice:secret-5@db:5432/rice?sslpassword=secret-6&sslmode=require",
    "RICE_LIVE_FEED_URL": "https://me:secret-7@feed.example/v3?token=secret-8",
}


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """A broker of three topics; tests change what it has. Asking a real one is for the integration tests."""
    topics: dict[str, int | None] = {"llm-requests": 4, "carbon-alerts": 1}
    monkeypatch.setattr(checks, "describe_topics", lambda _config, _topics: topics)

    class Probe:
        def __init__(self, *_: object) -> None: ...

        def lag(self) -> dict[tuple[str, int], int]:
            return {("llm-requests", 0): 5, ("llm-requests", 1): 7}

        def close(self) -> None: ...

    monkeypatch.setattr(checks, "LagProbe", Probe)
    return topics


@pytest.fixture
def store(sqlite: Databases) -> Iterator[Store]:
    """On SQLite alone: nothing here depends on the database."""
    with open_store(sqlite.migrated()) as store:
        yield store


def checked(store: Store | None = None, **environment: str) -> dict[str, Any]:
    """The answer with the checks by name."""
    if store is not None:
        environment["RICE_DATABASE_URL"] = str(store.engine.url)
    answer = run_checks(load_settings(environment=environment), now=lambda: datetime.now(UTC))
    return {**answer, "by_name": {check["name"]: check for check in answer["checks"]}}


def problems(answer: dict[str, Any]) -> list[str]:
    assert all((check["what_to_do"] is None) == check["ok"] for check in answer["checks"])
    return [check["name"] for check in answer["checks"] if not check["ok"]]


def test_all_is_well(store: Store) -> None:
    """Every part is looked at, and its version told."""
    answer = checked(store)
    assert (answer["ok"], answer["reachable"], problems(answer)) == (True, True, [])
    assert list(answer["by_name"]) == [
        "reference tables",
        "method",
        "broker",
        "topic llm-requests",
        "topic carbon-alerts",
        "consumer lag",
        "database",
        "schema",
        "views",
        "time zones",
        "clock",
    ]
    assert "12 record(s) behind on 2 partition(s)" in answer["by_name"]["consumer lag"]["detail"]
    assert {"rice_stream", "python", "factors", "method", "database", "schema"} <= set(answer["versions"])
    assert answer["versions"]["factors"].startswith("factors-")


def test_settings_of_who_is_charged_that_are_not_in_force_are_told(store: Store) -> None:
    """With those that are and since when; a change that is still to come too. Neither is a problem."""
    in_force = settings_text(FormatOptions(attributes={"tenant_id": ("model",)}, count_log_events=False))
    propose_version(store.engine, in_force)
    assert "attribution" not in checked(store, RICE_ATTRIBUTION_ATTRIBUTES="tenant_id=model")["by_name"]
    told = checked(store)["by_name"]["attribution"]
    assert (told["ok"], told["detail"].startswith("not as set here; in force since the beginning")) == (True, True)
    assert '"tenant_id":["model"]' in told["detail"]
    propose_version(store.engine, settings_text(FormatOptions(count_log_events=False)))
    told = checked(store)["by_name"]["attribution"]
    assert told["detail"].startswith("as set here from 2")
    assert '"tenant_id":["model"]' in told["detail"]


def test_no_secret_is_shown_wherever_it_stands() -> None:
    """Passwords, tokens, and those inside addresses; everything else is shown as it is in force."""
    shown = effective_settings(load_settings(environment={**SECRETS, "RICE_PUE": "1.2"}))
    assert "secret" not in str(shown)
    assert shown["RICE_DATABASE_URL"] == "postgresql://rice:***@db:5432/rice?sslmode=require&sslpassword=%2A%2A%2A"
    assert shown["RICE_LIVE_FEED_URL"] == f"https://{MASK}@feed.example/v3?{MASK}"
    assert shown["RICE_KAFKA_SASL_PASSWORD"] == MASK
    assert (shown["RICE_PUE"], shown["RICE_EVENTS_TOPICS"], shown["RICE_REFERENCE_DIR"]) == (
        1.2,
        ["llm-requests"],
        None,
    )
    assert masked_url("not a URL with a secret", MASK) == MASK


def test_a_missing_topic_is_named(store: Store, broker: dict[str, int | None]) -> None:
    """No lag is asked for then: there is nothing to be behind on."""
    broker["llm-requests"] = None
    answer = checked(store)
    assert problems(answer) == ["topic llm-requests"]
    assert "create the topic llm-requests" in answer["by_name"]["topic llm-requests"]["what_to_do"]
    assert "consumer lag" not in answer["by_name"]


def test_a_broker_that_does_not_answer_is_unreachable(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is checked all the same."""

    def nobody(*_: object) -> None:
        raise ServiceUnavailableError("no Kafka broker answers at localhost:9092")

    monkeypatch.setattr(checks, "describe_topics", nobody)
    answer = checked(store)
    assert (problems(answer), answer["reachable"]) == (["broker"], False)
    assert answer["by_name"]["schema"]["ok"]


def test_a_database_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A check changes nothing."""
    path = tmp_path / "rice.db"
    answer = checked(RICE_DATABASE_URL=f"sqlite:///{path}")
    assert (problems(answer), answer["reachable"]) == (["database"], True)
    assert "rice-stream migrate" in answer["by_name"]["database"]["what_to_do"]
    assert not path.exists()


def test_an_older_schema_and_missing_views_are_cured_by_migrate(store: Store) -> None:
    """Told which revision there is and which is needed."""
    store.execute("DROP VIEW hourly_totals")
    assert "hourly_totals" in checked(store)["by_name"]["views"]["detail"]
    store.execute("UPDATE alembic_version SET version_num = '0000'")
    answer = checked(store)
    assert problems(answer) == ["schema"]
    assert "0000" in answer["by_name"]["schema"]["detail"]


def test_a_time_zone_without_rules_or_months_is_named(store: Store) -> None:
    """Month to date would be empty for its tenants."""
    store.set_time_zone("acme", "Asia/Kolkata")
    assert problems(checked(store)) == []
    store.execute("DELETE FROM month_start WHERE time_zone = 'Asia/Kolkata'")
    assert "Asia/Kolkata" in checked(store)["by_name"]["time zones"]["detail"]
    store.execute("UPDATE tenant SET time_zone = 'Mars/Olympus'")
    assert checked(store)["by_name"]["time zones"]["detail"] == "no rules for Mars/Olympus"


def test_a_bad_table_of_the_users_is_named(store: Store, tmp_path: Path) -> None:
    """File, row and column, as the loader says it."""
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "models.csv").write_text("nonsense\n1\n")
    answer = checked(store, RICE_REFERENCE_DIR=str(tmp_path / "overlay"))
    assert problems(answer) == ["reference tables"]
    assert "models.csv" in answer["by_name"]["reference tables"]["detail"]


def test_a_database_that_is_not_supported_is_named() -> None:
    """With the ones that are."""
    answer = checked(RICE_DATABASE_URL="mysql://root@db/rice")
    assert problems(answer) == ["database"]
    assert "postgresql, sqlite" in answer["by_name"]["database"]["detail"]
