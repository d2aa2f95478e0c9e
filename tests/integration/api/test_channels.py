"""Channels over the API on PostgreSQL, where the database itself holds every transaction to the caller's scope."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api_running import SECRETS_KEY
from tests.support.asgi import Answer, ask
from tests.support.databases import PostgresDatabases
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door

NEW = {"name": "ops", "type": "webhook", "url": "https://example.com/hook", "min_severity": "warning"}
ACME, GLOBEX = frozenset({"acme"}), frozenset({"globex"})


class Callers:
    """A server, and editors of some tenants."""

    def __init__(self, url: str) -> None:
        self._tokens = Database()
        self._secrets = {
            tenants: self._tokens.make("editor", tenants=None if tenants is None else set(tenants))
            for tenants in (None, ACME, GLOBEX)
        }
        self.door = Door(tokens=self._tokens, database_url=url, secrets_key=SECRETS_KEY)

    def send(
        self, tenants: frozenset[str] | None, method: str, path: str, body: object = None, **headers: str
    ) -> Answer:
        """The answer to the editor of these tenants."""
        given = {"authorization": f"Bearer {self._secrets[tenants]}", "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        pieces = [] if body is None else [json.dumps(body).encode()]
        return asyncio.run(ask(self.door.app, method, path, pieces, given.items()))


@pytest.fixture
def callers(postgresql: PostgresDatabases) -> Iterator[Callers]:
    """In front of a database without data."""
    made = Callers(postgresql.migrated())
    yield made
    made.door.product.close()


def rows(answer: Answer) -> list[dict[str, Any]]:
    """But for Kafka."""
    return [row for row in answer.document["rows"] if row["type"] != "kafka"]


def test_an_editor_of_a_tenant_does_all_with_its_channels_and_nothing_with_others(callers: Callers) -> None:
    """Two tenants use one name; the audit trail numbers the changes of both without a gap."""
    for tenants in (ACME, GLOBEX):
        made = callers.send(tenants, "POST", "/v1/channels", NEW)
        assert (made.status, made.document["tenants"]) == (201, sorted(tenants)), made.body
    seen = callers.send(ACME, "GET", "/v1/channels/ops")
    changed = callers.send(
        ACME, "PUT", "/v1/channels/ops", {"type": "webhook", "remind_every": "4h"}, if_match=seen.headers["etag"]
    )
    assert (changed.status, changed.document["remind_every_s"]) == (200, 14_400), changed.body
    trial = callers.send(ACME, "POST", "/v1/channels/ops/test")
    assert (trial.status, trial.document["state"]) == (201, "due"), trial.body
    number = trial.document["id"]
    assert callers.send(GLOBEX, "GET", f"/v1/deliveries/{number}").status == 404
    assert callers.send(GLOBEX, "POST", "/v1/deliveries/resend", {"ids": [number]}).status == 404
    again = callers.send(ACME, "POST", "/v1/deliveries/resend", {"ids": [number]})
    assert (again.status, [row["id"] for row in again.document["rows"]]) == (200, [number])
    assert callers.send(ACME, "DELETE", "/v1/channels/ops", if_match="*").status == 204
    assert rows(callers.send(ACME, "GET", "/v1/channels")) == []
    (left,) = rows(callers.send(None, "GET", "/v1/channels"))
    assert (left["name"], left["tenants"]) == ("ops", ["globex"])
