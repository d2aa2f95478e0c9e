"""Pages that stay open: they follow what comes, without being loaded again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rice_stream.api.console import kept
from tests.support import console_ledger
from tests.support.browsing import Chromium
from tests.support.console_serving import ADMIN, OF_A_TEAM, serve


def test_an_open_page_follows_what_comes(
    chromium: Chromium, new_ledger: Callable[[str], str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the reader was on the page stays as it was: what is open, what has the focus, how far it is scrolled.

    Of figures that take long: the first look after a change shows the old ones still, and nothing more comes on the stream.
    """
    monkeypatch.setattr(kept, "SLOW_S", 0.0)
    url = new_ledger("live")
    console_ledger.fill(url, **console_ledger.SMALL)
    with serve(url, folder / "live") as console, chromium.visit(console, ADMIN, height=500) as visit:
        visit.open("/")
        visit.page.evaluate("window.loaded = 'once'")
        before = visit.page.locator(".headline").first.inner_text()
        opened = visit.page.locator("details.how").first
        opened.locator("summary").click()
        scrolled = visit.page.evaluate("scrollY")
        console_ledger.add_prompts(url, 50)
        visit.page.wait_for_function(
            "(before) => document.querySelector('.headline').innerText !== before", arg=before, timeout=30_000
        )
        visit.settle()
        assert visit.page.evaluate("window.loaded") == "once"
        assert opened.get_attribute("open") is not None
        assert visit.page.evaluate("document.activeElement.localName") == "summary"
        assert visit.page.evaluate("scrollY") == scrolled
        visit.assert_clean()
        assert visit.axe() == []


def test_an_open_page_does_not_look_again_for_what_is_anothers(
    chromium: Chromium, new_ledger: Callable[[str], str], folder: Path
) -> None:
    """Prompts of another team: nobody in this one has the page fetched again."""
    url = new_ledger("not mine")
    console_ledger.fill(url, **console_ledger.SMALL)
    with (
        serve(url, folder / "not mine") as console,
        chromium.visit(console, ADMIN) as everything,
        chromium.visit(console, OF_A_TEAM) as one_team,
    ):
        everything.open("/")
        one_team.open("/")
        before = everything.page.locator(".headline").first.inner_text()
        fetched = len(one_team.requests)
        console_ledger.add_prompts(url, 50)
        everything.page.wait_for_function(
            "(before) => document.querySelector('.headline').innerText !== before", arg=before, timeout=30_000
        )
        assert [each for each in one_team.requests[fetched:] if "/v1/stream" not in each] == []
