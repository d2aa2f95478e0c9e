"""What docs/dashboard.md promises to somebody new: two answers, from the overview alone, within three clicks."""

import re

from tests.support.browsing import Chromium
from tests.support.console_names import NORTHWIND, RISING
from tests.support.console_serving import ADMIN, Console
from tests.support.docs_reading import text_of


def test_in_which_team_last_weeks_rise_came_from(chromium: Chromium, console: Console) -> None:
    """The overview says it; a click leads to the models behind it."""
    with chromium.visit(console, ADMIN) as visit:
        visit.open("/")
        said = visit.page.locator(".caption", has_text="against the seven days before").inner_text()
        assert f"The largest rise is that of {RISING} of {NORTHWIND}" in said
        visit.page.click(f".caption a:text-is('{RISING}')")
        visit.settle()
        assert visit.page.locator("h1").inner_text() == "Explore"
        assert f"team={RISING}" in visit.page.url
        assert "Emissions rose by" in visit.page.locator("main").inner_text()


def test_when_a_budget_ends(chromium: Chromium, console: Console) -> None:
    """From the list of open alerts, one click."""
    with chromium.visit(console, ADMIN) as visit:
        visit.open("/")
        visit.page.click("section:has(h2:text-is('Open alerts')) a:text-is('engineering')")
        visit.settle()
        assert visit.page.locator("h1").inner_text() == "engineering"
        answer = visit.page.locator("main").inner_text()
        assert re.search(r"Will it last\?\s+\d{1,2} Nov", answer), answer[:400]


def test_the_clicks_are_in_the_docs() -> None:
    text = " ".join(text_of("docs/dashboard.md").split())
    assert "In which team did last week's rise come from?" in text
    assert "When does a budget end?" in text
