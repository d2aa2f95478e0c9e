"""Who reads with the keyboard, wants no motion, sees large letters, or has no scripts: every page serves them."""

import pytest

from tests.support.browsing import Chromium
from tests.support.cases import some
from tests.support.console_pages import PAGES, ShownPage
from tests.support.console_serving import ADMIN, Console


def pages(guarantee: str) -> pytest.MarkDecorator:
    """Some of them in each run, all in a drill."""
    return pytest.mark.parametrize("page", some(guarantee, PAGES, 4), ids=lambda page: page.name)


@pages("keyboard")
def test_a_page_can_be_walked_by_keyboard(chromium: Chromium, console: Console, page: ShownPage) -> None:
    """Tab reaches everything that can be used, in the order of the page, shows where it is, and comes out at the end."""
    with chromium.visit(console, ADMIN) as visit:
        visit.open(page.path())
        expected = visit.focusable()
        stops = visit.tab_through(min(len(expected), 60))
        assert [stop.name for stop in stops] == expected[: len(stops)]
        assert [stop.name for stop in stops if not stop.is_marked] == [], "nothing shows that it has the focus"
        assert [stop.name for stop in stops if not stop.is_in_view] == [], "it has the focus out of sight"


@pages("motion")
def test_a_page_stands_still_for_who_wants_no_motion(chromium: Chromium, console: Console, page: ShownPage) -> None:
    with chromium.visit(console, ADMIN, reduced_motion=True) as visit:
        visit.open(page.path())
        assert visit.moving() == []


@pages("400 percent")
def test_a_page_can_be_read_at_400_percent(chromium: Chromium, console: Console, page: ShownPage) -> None:
    """1,280 pixels at four times the size are 320: nothing has to be scrolled sideways."""
    with chromium.visit(console, ADMIN, width=320, height=256) as visit:
        visit.open(page.path())
        assert visit.overflow() == 0


@pages("no scripts")
def test_a_page_without_scripts_says_what_it_has_to_say(chromium: Chromium, console: Console, page: ShownPage) -> None:
    """Numbers and tables are in what the server sends."""
    with chromium.visit(console, ADMIN, java_script=False) as visit:
        assert visit.open(page.path()).status == 200
        assert visit.page.locator("h1").count() == 1
        assert visit.complaints == []


@pytest.mark.parametrize("path", ["/", "/explore", "/periods"])
def test_a_page_that_is_printed_is_its_figures_alone(chromium: Chromium, console: Console, path: str) -> None:
    """Still charts and tables, black on white whatever the theme; nothing that only works on a screen."""
    with chromium.visit(console, ADMIN, theme="dark") as visit:
        visit.open(path)
        visit.page.emulate_media(media="print")
        for gone in (".top nav", ".filters", "button", ".how", "canvas"):
            assert not any(each.is_visible() for each in visit.page.locator(gone).all()), gone
        assert visit.page.locator("h1").is_visible()
        assert any(each.is_visible() for each in visit.page.locator("table.figures").all())
        assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert visit.overflow() == 0
