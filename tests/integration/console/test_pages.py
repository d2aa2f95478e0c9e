"""Every page in a real browser, for every role: what it answers, that it is clean, and that everybody can read it.

Pictures of what was seen are left in build/console.
"""

import pytest
from fastapi.routing import APIRoute

from rice_stream.api.routing import OPEN
from tests.support.browsing import THEMES, WIDTHS, Chromium
from tests.support.cases import some
from tests.support.console_pages import NO_PAGES, PAGES, ShownPage
from tests.support.console_serving import ROLES, Console

CASES = [
    pytest.param(page, role, theme, width, id=f"{page.name}, {role}, {theme}, {width}")
    for page in PAGES
    for role in ROLES
    for theme in THEMES
    for width in WIDTHS
]


def test_every_page_of_the_application_is_tried(console: Console) -> None:
    """Whatever is not in the API's document is for browsers."""
    routes = {
        route.path
        for route in console.app.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and not route.include_in_schema
    }
    assert routes - OPEN == {page.route for page in PAGES} | set(NO_PAGES)


@pytest.mark.parametrize(("page", "role", "theme", "width"), some("pages", CASES, 8))
def test_a_page_is_clean_and_everybody_can_read_it(
    chromium: Chromium, console: Console, page: ShownPage, role: str, theme: str, width: int
) -> None:
    """No error, nothing refused by its policy, nothing from elsewhere; no finding of axe-core; nothing beyond its right edge."""
    with chromium.visit(console, role, width=width, theme=theme) as visit:
        expected = 200 if role in page.for_roles else page.status_for_others
        assert visit.open(page.path()).status == expected
        visit.picture(f"{page.name}-{role}-{theme}-{width}")
        visit.assert_clean(but="" if expected == 200 else str(expected))
        assert visit.axe() == []
        assert visit.overflow() == 0
