"""`serve` without its database: events are taken, questions told to come back, and nobody restarts it when the database is there.

With a real PostgreSQL that is not there yet, is not migrated, is stopped and started, closes its connections, or only reads.
"""

import asyncio
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from rice_stream.api.access.issuing import AskedToken, issue
from rice_stream.api.access.secrets import new_token
from rice_stream.sandbox.stack.postgres import PostgresServer
from rice_stream.store.engine import Engine, open_engine
from rice_stream.store.migrate import migrate
from rice_stream.store.scope import EVERYTHING
from tests.support.asgi import Answer, ask
from tests.support.fakes import OPERATOR, event
from tests.support.services import start_again
from tests.support.waiting import wait_until
from tests.unit.api.conftest import Door

OPERATORS = "the-operators-own-token"
BUDGET = {"name": "b", "tenant_id": "acme", "limit_gco2e": 1, "period": "day"}
QUESTIONS = ("/v1/totals", "/v1/rolling-totals", "/v1/prompts", "/v1/prompts?format=csv", "/v1/budgets", "/v1/tenants")


class Served:
    """A server whose database may be away, and an editor of every tenant."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.door = Door(database_url=url, http_token=OPERATORS)
        self.secret = new_token("editor")

    def ask(self, method: str, path: str, body: object = None, *, token: str | None = None) -> Answer:
        """With the editor's token, or another."""
        # What is known of tokens is some seconds old before it is looked at again; a test does not wait for that.
        self.door.app.state.admission._book._looked_at_s = None
        headers = {"authorization": f"Bearer {token or self.secret}", "content-type": "application/json"}
        pieces = [] if body is None else [json.dumps(body).encode()]
        return asyncio.run(ask(self.door.app, method, path, pieces, headers.items()))

    def takes_events(self) -> bool:
        """Whether an event of the operator's gateway reaches the broker."""
        return self.ask("POST", "/v1/events", event(), token=OPERATORS).status == 202

    def bring_up(self, engine: Engine) -> None:
        """Migrate the database and make the editor's token."""
        migrate(engine)
        self.secret = issue(engine, AskedToken("editor", "editor", None), EVERYTHING, OPERATOR).secret

    def answers(self) -> dict[str, int]:
        """The status of each question that is answered otherwise than with 200."""
        return {path: status for path in QUESTIONS if (status := self.ask("GET", path).status) != 200}


def told_to_come_back(answer: Answer, says: str) -> bool:
    """503 with a time, what to do, and nothing about where the database is."""
    assert (answer.status, answer.headers.get("retry-after")) == (503, "5"), answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert not {b"postgres", b"127.0.0.1", b"RICE_", b"rice-stream migrate"} & set(answer.body.split())
    return says in answer.document["detail"]


@pytest.fixture
def name(postgres: PostgresServer) -> Iterator[str]:
    """Of a database that is not there."""
    start_again(postgres)
    made = f"away_{secrets.token_hex(4)}"
    yield made
    start_again(postgres)
    if made in postgres.databases():
        postgres.drop_database(made)


@pytest.fixture
def served(postgres: PostgresServer, name: str) -> Iterator[Served]:
    """In front of a migrated database."""
    made = Served(postgres.create_database(name))
    engine = open_engine(made.url)
    made.bring_up(engine)
    engine.dispose()
    yield made
    made.door.product.close()


def test_a_server_that_was_there_first_answers_once_the_database_does(postgres: PostgresServer, name: str) -> None:
    """First there is no PostgreSQL, then an empty database, then one of another schema, then the right one."""
    postgres.stop()
    served = Served(postgres.url(name))
    assert served.takes_events()
    assert told_to_come_back(served.ask("GET", "/v1/totals"), "tokens cannot be checked now")
    postgres.start()
    assert told_to_come_back(served.ask("GET", "/v1/totals"), "tokens cannot be checked now")
    postgres.create_database(name)
    assert served.ask("GET", "/v1/totals").status == 401  # there is no token in it
    engine = open_engine(served.url)
    migrate(engine, "0014")
    wait_until(lambda: served.ask("GET", "/v1/totals").status != 401, 10, "what was known of tokens to be too old")
    assert told_to_come_back(served.ask("GET", "/v1/totals"), "tokens cannot be checked now")
    served.bring_up(engine)
    engine.dispose()
    assert served.takes_events()
    assert served.answers() == {}
    assert served.ask("POST", "/v1/budgets", BUDGET).status == 201
    served.door.product.close()


def test_while_postgresql_is_stopped_events_are_taken_and_questions_told_to_come_back(
    served: Served, postgres: PostgresServer
) -> None:
    """Also those that were answered before; after the start they are answered again, twice in a row."""
    assert served.answers() == {}
    for _ in range(2):
        postgres.stop()
        assert served.takes_events()
        # Answers about several tenants are given again within a second.
        wait_until(lambda: set(served.answers()) == set(QUESTIONS), 10, "kept answers to be too old")
        for path in QUESTIONS:
            assert told_to_come_back(served.ask("GET", path), "Events are taken meanwhile"), path
        assert told_to_come_back(served.ask("POST", "/v1/budgets", {**BUDGET, "name": "never"}), "does not answer now")
        postgres.start()
        assert served.answers() == {}
    assert [row["name"] for row in served.ask("GET", "/v1/budgets").document["rows"]] == []


def test_connections_that_are_closed_under_it_are_made_again(
    served: Served, postgres: PostgresServer, name: str
) -> None:
    """As after a failover: no request fails for it."""
    assert served.answers() == {}
    with open_engine(postgres.url()).connect() as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        assert connection.execute(text(others), {"name": name}).rowcount > 0
    assert served.answers() == {}


def test_on_a_standby_that_only_reads_changes_come_back_later(
    served: Served, postgres: PostgresServer, name: str
) -> None:
    """Questions are answered, changes are not lost silently, and are taken once it has been promoted."""
    assert served.answers() == {}
    _only_reads(postgres, name, is_standby=True)
    assert served.answers() == {}
    assert told_to_come_back(served.ask("POST", "/v1/budgets", BUDGET), "does not answer now")
    _only_reads(postgres, name, is_standby=False)
    assert served.ask("POST", "/v1/budgets", BUDGET).status == 201


def _only_reads(postgres: PostgresServer, name: str, *, is_standby: bool) -> None:
    """Sessions from now on; those that are there are closed, as on a failover."""
    engine = open_engine(postgres.url())
    statements: list[Any] = [
        f"ALTER DATABASE {name} SET default_transaction_read_only = {'on' if is_standby else 'off'}",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    ]
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
