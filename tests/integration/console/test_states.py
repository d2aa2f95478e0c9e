"""What a page is when its ledger is empty, hostile, or in the other database; and who may come in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.browsing import Chromium
from tests.support.cases import some
from tests.support.console_names import HostileNames
from tests.support.console_pages import LEDGER_PAGES, ShownPage
from tests.support.console_serving import ADMIN, OF_A_TEAM, Console, serve

SAME_IN_BOTH = [page for page in LEDGER_PAGES if not page.of_database]


def pages(guarantee: str, count: int) -> pytest.MarkDecorator:
    """Some of them in each run, all in a drill."""
    return pytest.mark.parametrize("page", some(guarantee, LEDGER_PAGES, count), ids=lambda page: page.name)


@pages("names", 8)
def test_no_name_is_taken_for_html_or_a_script(chromium: Chromium, hostile: Console, page: ShownPage) -> None:
    names = HostileNames()
    with chromium.visit(hostile, ADMIN) as visit:
        assert visit.open(page.path(names)).status == 200
        visit.picture(f"{page.name}-hostile")
        visit.assert_clean()
        assert visit.page.locator("img[src=x], svg[onload], [onerror]").count() == 0
        assert visit.axe() == []


@pages("empty", 6)
def test_a_page_says_what_to_do_before_the_first_event(chromium: Chromium, empty: Console, page: ShownPage) -> None:
    with chromium.visit(empty, ADMIN) as visit:
        assert visit.open(page.path()).status == page.status_when_empty
        visit.picture(f"{page.name}-empty")
        if page.status_when_empty == 200:
            visit.assert_clean()
            assert visit.axe() == []


@pytest.mark.parametrize("page", some("both databases", SAME_IN_BOTH, 3), ids=lambda page: page.name)
def test_both_databases_say_the_same(
    chromium: Chromium, hostile: Console, hostile_on_postgres: Console, page: ShownPage
) -> None:
    """Word for word, for who sees everything and for who sees one team."""
    path = page.path(HostileNames())
    for role in (ADMIN, OF_A_TEAM):
        said = []
        for console in (hostile, hostile_on_postgres):
            with chromium.visit(console, role) as visit:
                visit.open(path)
                said.append((visit.status, visit.page.locator("body").inner_text().splitlines()))
        assert said[0] == said[1], role


@pages("signing in", 2)
def test_nobody_sees_a_page_without_signing_in(chromium: Chromium, console: Console, page: ShownPage) -> None:
    with chromium.visit(console, None) as visit:
        visit.open(page.path())
        assert not visit.page.url.startswith(console.address), "it leads to the provider"


def test_the_link_of_the_start_signs_a_browser_in_as_admin(
    chromium: Chromium, new_ledger: Callable[[str], str], folder: Path
) -> None:
    with (
        serve(new_ledger("link"), folder / "link", by_link=True) as console,
        chromium.visit(console, None) as visit,
    ):
        assert console.link is not None
        assert visit.open("/").status == 401
        visit.picture("not signed in, link")
        visit.assert_clean(but="401")
        assert visit.axe() == []
        assert visit.open(console.link.removeprefix(console.address)).status == 200
        assert visit.page.url == f"{console.address}/"
        assert visit.open(console.link.removeprefix(console.address)).status == 403
