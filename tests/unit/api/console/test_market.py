"""Carbon by the market on the pages: beside carbon by location where something is known of it, and nowhere where nothing is."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rice_stream.instants import datetime_of
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from rice_stream.wording.amounts import amount
from tests.behaviours.test_factor_sets_in_force import PAPER, add, now_us, worker
from tests.behaviours.test_market_based import ended, market_set
from tests.support.api_running import Api
from tests.support.cli_running import Shell
from tests.support.factor_files import BRITAIN, SWEDEN, market_row
from tests.support.fakes import chunk_of
from tests.unit.api.console.reading import ReadPage, read

PAGES = ("/", "/explore?by=team", "/periods", "/quality", "/prompts/e-1")


@pytest.fixture(params=[True, False], ids=["with a market set", "without one"])
def served(request: pytest.FixtureRequest, tmp_path: Path, shell: Shell) -> Iterator[tuple[Api, bool]]:
    """A server in front of two prompts, one of them with a supplier's factor or not, at the time of the later one."""
    url = shell.environment["RICE_DATABASE_URL"] = f"sqlite:///{tmp_path / 'rice.db'}"
    engine = open_engine(url)
    migrate(engine)
    at_us = now_us()
    if request.param:
        at_us = add(engine, market_set(market_row("supplier", 400, region=SWEDEN)))
    worker(engine, PAPER).process([chunk_of([ended("e-1", at_us), ended("e-2", at_us, BRITAIN)])], now_us())
    engine.dispose()
    running = Api(shell)
    running.door.product.now = lambda: datetime_of(at_us) + timedelta(seconds=1)
    yield running, request.param
    running.door.product.close()


def _page(api: Api, path: str) -> ReadPage:
    return read(api.send("GET", path, role="reader", headers={"accept": "text/html"}))


def test_pages_say_carbon_by_the_market_where_it_is_known_and_not_where_it_is_not(served: tuple[Api, bool]) -> None:
    """In the same figures as the API's."""
    api, known = served
    total = json.loads(api.get("/v1/totals?by=team").body)["total"]
    assert (total["carbon_market_gco2e"] != total["carbon_gco2e"]["mid"]) == known
    texts = {path: _page(api, path).text for path in PAGES}
    said = {path: "by the market" in text.lower() for path, text in texts.items()}
    assert said == dict.fromkeys(PAGES, known)
    assert ("nothing is known of the market: carbon by it is that by location" in texts["/quality"].lower()) != known
    if known:
        market = " ".join(amount(total["carbon_market_gco2e"], "carbon").replace("\u202f", " ").split())
        assert market in texts["/"]
        assert "supplier annual" in texts["/quality"]
        assert "supplier, annual" in texts["/prompts/e-1"]


def test_months_have_both_figures(served: tuple[Api, bool]) -> None:
    """Of an open month those of now."""
    api, known = served
    [row] = json.loads(api.get("/v1/periods").body)["rows"]
    assert (row["carbon_market_gco2e"] != row["carbon_gco2e"]["mid"]) == known
