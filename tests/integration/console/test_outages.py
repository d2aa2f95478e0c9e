"""A database that is slow, away, and back again, behind a page that somebody looks at."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from rice_stream.sandbox.stack.postgres import PostgresServer
from tests.support import console_ledger
from tests.support.browsing import Chromium
from tests.support.console_serving import ADMIN, Console, serve
from tests.support.databases import PostgresDatabases


@pytest.fixture(scope="module")
def on_postgres(postgres_of_module: PostgresDatabases, folder: Path) -> Iterator[Console]:
    """A small ledger in PostgreSQL."""
    url = postgres_of_module.migrated()
    console_ledger.fill(url, **console_ledger.SMALL)
    (folder / "outages").mkdir()
    with serve(url, folder / "outages") as running:
        yield running


def test_while_the_database_is_away_a_page_shows_what_it_was_with_its_age(
    chromium: Chromium, on_postgres: Console, postgres: PostgresServer
) -> None:
    with chromium.visit(on_postgres, ADMIN) as visit:
        visit.open("/")
        figures = visit.page.locator("#figures").inner_text()
        assert "away" not in visit.banners()
        postgres.stop()
        try:
            visit.open("/")
            visit.picture("overview-database-away")
            assert visit.status == 200
            assert "The database does not answer. The figures below are as of 24 Nov 2026, 14:05" in visit.banners()
            assert visit.page.locator("#figures").inner_text() == figures
            assert visit.axe() == []
        finally:
            postgres.start()
        visit.open("/")
        assert visit.banners() == ""
        assert visit.page.locator("#figures").inner_text() == figures


def test_a_database_that_takes_too_long_is_like_one_that_is_away(
    chromium: Chromium, on_postgres: Console, postgres: PostgresServer
) -> None:
    """A question has two seconds; the page comes all the same."""
    with chromium.visit(on_postgres, ADMIN) as visit:
        visit.open("/")
        database = str(on_postgres.product.engine().url.database)
        with psycopg.connect(postgres.conninfo(database)) as blocking:
            blocking.execute("LOCK TABLE day_total, tenant_day_total, prompt_record IN ACCESS EXCLUSIVE MODE")
            visit.open("/")
            assert visit.status == 200
            assert "The database does not answer" in visit.banners()
        visit.open("/")
        assert visit.banners() == ""
