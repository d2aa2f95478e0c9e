"""A database from before the API, migrated and served: every answer is the one that the command line gave before the upgrade."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from rice_stream.proof.rebuild import rebuild
from rice_stream.proof.verification import verify
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from tests.support.asgi import Answer, ask
from tests.support.databases import Databases
from tests.support.fakes import OPERATOR
from tests.support.places import DATA
from tests.support.released_ledger import differences, fill_ledger
from tests.unit.api.conftest import Door

BEFORE: dict[str, Any] = json.loads((DATA / "schema_0014" / "ledger.json").read_text())
ROUTES = {
    "totals": "/v1/totals",
    "by names": "/v1/totals?tenant=acme&by=team,project,model,region",
    "by users": "/v1/totals?tenant=globex&by=user,basis",
    "by days of tenants": "/v1/totals?by=tenant,day&from=2026-10-01&to=2026-11-01",
    "with impacts": "/v1/totals?tenant=kathmandu&by=day&impacts=true",
    **{f"explain {event}": f"/v1/prompts/{event}/explain" for event in ("p-0", "p-3")},
    "budgets": "/v1/budgets",
    "tenants": "/v1/tenants",
    "alerts": "/v1/alerts",
    "quarantine": "/v1/quarantine",
    "mappings": "/v1/mappings",
    "tokens": "/v1/tokens",
}
"""What was asked of the command line -> the route that answers it."""


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The server of this version, as of the time at which the command line was asked. Nothing is changed through it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('upgrade')}/rice.db"
    else:
        databases: Databases = request.getfixturevalue("postgres_of_module")
        url = databases.empty()
    engine = open_engine(url)
    fill_ledger(engine, BEFORE["schema"], BEFORE["rows"])
    migrate(engine, by=OPERATOR)
    engine.dispose()
    door = Door(database_url=url)
    door.product.now = lambda: datetime.fromisoformat(BEFORE["now"])
    yield door
    door.product.close()


def answer(door: Door, path: str, whose: str = "admin") -> Answer:
    """With a token from before the upgrade."""
    headers = {"authorization": f"Bearer {BEFORE['tokens'][whose]}"}
    return asyncio.run(ask(door.app, "GET", path, headers=headers.items()))


class TestUpgrade:
    """On every database."""

    @pytest.mark.parametrize("asked", ROUTES)
    def test_answers_are_those_of_the_command_line_before(self, served: Door, asked: str) -> None:
        """To the last digit, to who had a token before."""
        said = BEFORE["answers"][asked]
        told = answer(served, ROUTES[asked])
        assert told.status == 200, told.body
        document = {next(iter(said)): told.document["rows"]} if len(said) == 1 else told.document
        assert differences(said, document) == []

    def test_records_are_those_before_also_where_their_method_has_a_newer_version(self, served: Door) -> None:
        """Which cannot work them out again, and says so."""
        said = BEFORE["answers"]["explain e-0"]
        assert differences(said["record"], answer(served, "/v1/prompts/e-0").document) == []
        assert answer(served, "/v1/prompts/e-0/explain").document["agrees"] is None

    def test_tokens_from_before_see_and_do_what_they_did(self, served: Door) -> None:
        """Those of one tenant its own only, those for sending nothing, a revoked one nothing at all."""
        own = answer(served, "/v1/prompts?limit=1000", "of-acme").document["rows"]
        records = {row["event_id"] for row in answer(served, "/v1/prompts?tenant=acme&limit=1000").document["rows"]}
        assert {row["event_id"] for row in own} == records != set()
        assert answer(served, "/v1/totals?tenant=globex", "of-acme").status == 404
        assert answer(served, "/v1/totals", "gateway").status == 403
        everything = answer(served, "/v1/prompts?limit=1000").document["rows"]
        assert len(everything) == len(BEFORE["rows"]["prompt_record"])

    def test_what_the_upgrade_adds_up_is_right(self, served: Door) -> None:
        """Totals that are new are those of the records that were there."""
        engine = open_engine(str(served.product.settings.database_url.get_secret_value()))
        assert verify(engine)["ok"]
        assert rebuild(engine, by=OPERATOR, dry_run=True)["differences_before"] == 0
        engine.dispose()
