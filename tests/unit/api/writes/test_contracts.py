"""Contracts for electricity over HTTP and on the page Periods: what the command does, by who may change every tenant."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from rice_stream.runtime.contract_orders import contracts_again
from rice_stream.runtime.restating_chores import RestatingJob
from rice_stream.store.engine import open_engine, reading
from rice_stream.store.migrate import migrate
from rice_stream.store.restatement_store import stored_restatement
from tests.behaviours.test_contracts import KWH, NOON, contracts, filled, standing
from tests.behaviours.test_factor_sets_in_force import now_us, worker
from tests.behaviours.test_market_based import ended
from tests.support.api_running import Api
from tests.support.cli_running import Shell
from tests.support.factor_files import SWEDEN, contract_row
from tests.support.fakes import OPERATOR, chunk_of
from tests.support.store_checks import assert_exact, rows_in
from tests.unit.api.console.reading import read

OCTOBER = {"tenant_id": "acme", "month": "2026-10"}


@pytest.fixture
def database(tmp_path: Path, shell: Shell) -> Iterator[Engine]:
    """Three prompts of one hour, two in Sweden, and a contract for half of what these two used."""
    url = shell.environment["RICE_DATABASE_URL"] = f"sqlite:///{tmp_path / 'rice.db'}"
    engine = open_engine(url)
    migrate(engine)
    contracts(engine, contract_row("wind", KWH, "monthly", region=SWEDEN))
    filled(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def served(database: Engine, shell: Shell) -> Iterator[Api]:
    """A server in front of it."""
    running = Api(shell)
    yield running
    running.door.product.close()


def do_what_is_ordered(api: Api, engine: Engine) -> None:
    """As a server of the same database does."""
    RestatingJob(api.door.product.settings, at_once_s=60.0).work(engine)


def test_contracts_are_applied_by_a_server_and_shown_as_the_command_shows_them(
    served: Api, database: Engine, shell: Shell
) -> None:
    """A dry run orders nothing; the same order twice is one; then nothing is left to be covered."""
    tried = served.send("POST", "/v1/contracts/apply", {**OCTOBER, "dry_run": True}, role="editor")
    assert tried.status == 202, tried.body
    assert tried.document["restatement_id"] is None
    [covering] = tried.document["contracts"]
    assert covering["covered_kwh"] == pytest.approx(KWH)
    assert served.get("/v1/restatements").document["rows"] == []
    first, second = (served.send("POST", "/v1/contracts/apply", OCTOBER, role="admin").document for _ in "ab")
    assert first == second
    path = f"/v1/restatements/{first['restatement_id']}"
    assert served.get(path).document["state"] == "ordered"
    do_what_is_ordered(served, database)
    done = served.get(path).document
    assert (done["state"], done["reason"], set(done["market_by_cause"])) == (
        "done",
        "contracts of 2026-10",
        {"contract"},
    )
    assert done["difference_gco2e"] == 0, "carbon by location stays"
    [row] = served.get("/v1/contracts").document["rows"]
    assert row["months"] == [{"month": "2026-10", "tenant_id": "acme", "covered_kwh": covering["covered_kwh"]}]
    assert shell.json("market", "contracts")["rows"] == [row]
    command = shell.json("market", "apply", "--tenant=acme", "--month=2026-10")
    assert (command["restatement_id"], command["contracts"]) == (first["restatement_id"], first["contracts"])


def test_what_comes_after_it_was_ordered_is_covered_as_well(
    served: Api, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late prompt before a server comes to it, and another one when that has stopped half-way: the order is done all the same,
    adds up, and leaves nothing that the next one would post."""
    monkeypatch.setattr("rice_stream.ledger.restating.RECORDS_AT_ONCE", 2)
    ordered = served.send("POST", "/v1/contracts/apply", OCTOBER, role="admin").document["restatement_id"]
    worker(database).process([chunk_of([ended("late", NOON, SWEDEN)])], now_us())
    with reading(database) as connection:
        waiting = stored_restatement(connection, ordered)
    assert waiting is not None
    begun = contracts_again(served.door.product.settings, database, waiting, OPERATOR).steps()
    next(begun)
    begun.close()
    worker(database).process([chunk_of([ended("later", NOON, SWEDEN)])], now_us())
    do_what_is_ordered(served, database)
    done = served.get(f"/v1/restatements/{ordered}").document
    assert (done["state"], done["records"]) == ("done", 6)
    changed = done["after_market_gco2e"] - done["before_market_gco2e"]
    assert done["market_by_cause"]["contract"] == pytest.approx(changed, abs=1e-6)
    assert standing(database) == (1, True)
    entries = rows_in(database)("adjustment_entry")
    again = served.send("POST", "/v1/contracts/apply", OCTOBER, role="admin").document["restatement_id"]
    do_what_is_ordered(served, database)
    assert (again, rows_in(database)("adjustment_entry")) == (ordered, entries)
    assert_exact(rows_in(database))


def test_only_who_changes_every_tenant_applies_them_and_only_who_sees_every_tenant_sees_them(served: Api) -> None:
    """What is left of a contract tells of others."""
    for role in ("reader", "auditor", "ingest"):
        assert served.send("POST", "/v1/contracts/apply", OCTOBER, role=role).status == 403
    assert served.send("POST", "/v1/contracts/apply", OCTOBER, role="admin", tenants={"acme"}).status == 403
    assert served.send("POST", "/v1/contracts/apply", OCTOBER, role="admin", tenants={"globex"}).status == 404
    assert served.get("/v1/contracts", tenants={"acme"}).document["rows"] == []
    assert "Contracts for electricity" not in read(served.get("/periods?year=2026", tenants={"acme"})).text
    for wrong, status in (
        ({"month": "2100-01"}, 400),
        ({"month": "x"}, 400),
        ({"tenant_id": "nobody"}, 404),
        ({"a": 1}, 422),
    ):
        assert served.send("POST", "/v1/contracts/apply", {**OCTOBER, **wrong}, role="admin").status == status


def test_the_page_shows_and_applies_them(served: Api, database: Engine) -> None:
    """A dry run says how much would be covered; then what is covered stands beside the contract."""
    page = read(served.get("/periods?year=2026", "editor"))
    assert "nothing yet" in page.text
    fields = [("tenant", "acme"), ("month", "2026-10"), ("reason", "")]
    tried = served.fill_in("/periods/contracts", fields)
    assert tried.status == 303, tried.body
    assert "Contracts would cover" in read(served.get(tried.headers["location"], "editor")).text
    done = served.fill_in("/periods/contracts", [*fields, ("post", "yes")])
    do_what_is_ordered(served, database)
    text = read(served.get(done.headers["location"], "editor")).text
    assert "Contracts cover" in text
    assert "2026-10 of acme:" in text
    assert served.fill_in("/periods/contracts", fields, "reader").status == 403
    assert "Apply them" not in served.get("/periods?year=2026", "reader").body.decode()
