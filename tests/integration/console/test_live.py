"""An open page: what arrives is on it without loading it again, and it says by itself when it cannot know any more."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from rice_stream.instants import epoch_us, rfc3339
from rice_stream.sandbox.stack.postgres import PostgresServer
from tests.support.browsing import Chromium
from tests.support.cli_running import Shell
from tests.support.console_ledger import NOW
from tests.support.console_serving import ADMIN, Console, serve


@pytest.fixture(scope="module")
def live(new_ledger: Callable[[str], str], folder: Path) -> Iterator[tuple[Console, Shell]]:
    """A dashboard before its first event, and a shell on its ledger."""
    url = new_ledger("live")
    shell = Shell(folder / "live")
    shell.environment["RICE_DATABASE_URL"] = url
    with serve(url, folder / "live") as running:
        yield running, shell


def test_the_first_prompt_appears_on_the_open_page(chromium: Chromium, live: tuple[Console, Shell]) -> None:
    console, shell = live
    with chromium.visit(console, ADMIN) as visit:
        visit.open("/")
        assert "No prompt has arrived yet" in visit.page.locator("main").inner_text()
        event = {
            "event_id": "first",
            "tenant_id": "acme",
            "request_model": "gpt-4o",
            "ended_at": rfc3339(epoch_us(NOW)),
        }
        path = shell.directory / "first.jsonl"
        path.write_text(json.dumps({**event, "input_tokens": 2006, "output_tokens": 300}))
        shell.json("ingest", str(path))
        visit.page.wait_for_selector("text=Today so far")
        assert "Newest prompt" in visit.page.locator("main").inner_text()
        visit.assert_clean()


def test_a_page_says_that_nobody_is_signed_in_any_more(chromium: Chromium, live: tuple[Console, Shell]) -> None:
    """Within the five seconds that the stream takes to end, and those that the page waits between two looks."""
    console, shell = live
    url = str(shell.environment["RICE_DATABASE_URL"])
    with chromium.visit(console, ADMIN) as visit:
        visit.open("/")
        with closing(sqlite3.connect(str(make_url(url).database))) as ledger:
            ledger.execute("DELETE FROM http_session")
            ledger.commit()
        visit.page.wait_for_selector("#signed-out:visible")
        assert "You are signed out. The figures below are as of 24 Nov 2026, 14:05" in visit.banners()
        assert visit.page.locator("#figures .tile").count() == 4, "the figures stay"


def test_a_database_that_goes_away_behind_an_open_page_is_told_with_the_age_of_the_figures(
    chromium: Chromium, hostile_on_postgres: Console, postgres: PostgresServer
) -> None:
    with chromium.visit(hostile_on_postgres, ADMIN) as visit:
        visit.open("/")
        figures = visit.page.locator("#figures .tiles").inner_text()
        postgres.stop()
        try:
            visit.page.wait_for_selector("#stale:visible", timeout=30_000)
            assert "The database does not answer. The figures below are as of 24 Nov 2026, 14:05" in visit.banners()
            assert visit.page.locator("#figures .tiles").inner_text() == figures
        finally:
            postgres.start()
        visit.page.wait_for_selector("#stale", state="hidden", timeout=60_000)
        assert visit.page.locator("#figures .tiles").inner_text() == figures
