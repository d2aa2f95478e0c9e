"""A database that is slow, away, and back again, behind a page that somebody looks at."""

import psycopg

from rice_stream.sandbox.stack.postgres import PostgresServer
from tests.support.browsing import Chromium, Visit
from tests.support.console_serving import ADMIN, Console
from tests.support.waiting import wait_until


def test_while_the_database_is_away_a_page_shows_what_it_was_with_its_age(
    chromium: Chromium, hostile_on_postgres: Console, postgres: PostgresServer
) -> None:
    with chromium.visit(hostile_on_postgres, ADMIN) as visit:
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
        wait_until(lambda: figures_are_of_now(visit), 30, "the database that has just started to answer in time")
        assert visit.page.locator("#figures").inner_text() == figures


def figures_are_of_now(visit: Visit) -> bool:
    """Whether the page, loaded again, says nothing of the database."""
    visit.open("/")
    return visit.banners() == ""


def test_a_database_that_takes_too_long_is_like_one_that_is_away(
    chromium: Chromium, hostile_on_postgres: Console, postgres: PostgresServer
) -> None:
    """A question has two seconds; the page comes all the same."""
    with chromium.visit(hostile_on_postgres, ADMIN) as visit:
        visit.open("/")
        database = str(hostile_on_postgres.product.engine().url.database)
        with psycopg.connect(postgres.conninfo(database)) as blocking:
            # Something is committed: what the page has shown before is not shown again unasked.
            blocking.execute("SELECT pg_current_xact_id()")
            blocking.commit()
            blocking.execute("LOCK TABLE day_total, tenant_day_total, prompt_record IN ACCESS EXCLUSIVE MODE")
            visit.open("/")
            assert visit.status == 200
            assert "The database does not answer" in visit.banners()
        visit.open("/")
        assert visit.banners() == ""


def test_an_open_page_says_that_the_database_is_away_and_when_it_is_back(
    chromium: Chromium, hostile_on_postgres: Console, postgres: PostgresServer
) -> None:
    """Without being loaded again."""
    with chromium.visit(hostile_on_postgres, ADMIN) as visit:
        visit.open("/")
        figures = visit.page.locator("#figures").inner_text()
        visit.page.evaluate("window.loaded = 'once'")
        postgres.stop()
        try:
            visit.page.locator("#stale").wait_for(state="visible", timeout=60_000)
            visit.picture("overview-database-away-while-open")
            assert "24 Nov 2026, 14:05" in visit.banners()
            assert visit.page.locator("#figures").inner_text() == figures
            assert visit.axe() == []
        finally:
            postgres.start()
        visit.page.locator("#stale").wait_for(state="hidden", timeout=60_000)
        assert visit.page.locator("#figures").inner_text() == figures
        assert visit.page.evaluate("window.loaded") == "once"
