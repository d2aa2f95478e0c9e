"""A channel set in a browser: its key is shown once, a test of it is followed on the page, and every page says when it fails."""

import re
from collections.abc import Callable
from pathlib import Path

from rice_stream.instants import epoch_us
from rice_stream.store.engine import open_engine, writing
from tests.support.browsing import Chromium, Visit
from tests.support.console_ledger import NOW
from tests.support.console_serving import ADMIN, EDITOR, serve

HOSTILE = "<img src=x onerror=window.owned=1>"


def wait_for(visit: Visit, place: str, words: str) -> None:
    """Until the open page says so, by itself."""
    says = "([place, words]) => document.querySelector(place).innerText.includes(words)"
    visit.page.wait_for_function(says, arg=[place, words], timeout=30_000)


def test_a_channel_is_set_and_tried_and_the_page_says_by_itself_what_becomes_of_it(
    chromium: Chromium, new_ledger: Callable[[str], str], folder: Path
) -> None:
    url = new_ledger("channels")
    engine = open_engine(url)

    def change(statement: str) -> None:
        with writing(engine) as connection:
            assert connection.exec_driver_sql(statement).rowcount == 1

    with (
        serve(url, folder / "channels") as console,
        chromium.visit(console, EDITOR) as visit,
        chromium.visit(console, ADMIN) as other,
    ):
        visit.open("/channels")
        visit.page.get_by_role("link", name="Set a channel").click()
        visit.page.get_by_role("link", name=re.compile("Webhook")).click()
        visit.page.get_by_label("Name").fill(HOSTILE)
        visit.page.get_by_label("Address").fill("https://hooks.example/in?key=s3cret")
        visit.page.get_by_role("button", name="Set it").click()
        key = visit.page.get_by_label("Signing key").input_value()
        assert key.startswith("whsec_")
        visit.page.get_by_role("link", name="I have copied it").click()
        visit.page.get_by_role("button", name="Send a test").click()
        assert "It is next in turn" in visit.page.locator("#one .outcome").inner_text()
        other.open("/")
        assert other.banners() == ""
        visit.page.evaluate("window.loaded = 'once'")
        done = "state = 'done', attempts = 1, answered_status = 503, answer_head = '<b>late</b>'"
        change(f"UPDATE delivery SET {done}, ended_at_us = {epoch_us(NOW)}")
        change(f"UPDATE channel SET last_done_at_us = {epoch_us(NOW)}")
        wait_for(visit, "#one .outcome", "It has arrived")
        assert visit.page.evaluate("window.loaded") == "once"
        # What is being filled in is not taken away by what comes meanwhile: the page waits until it is sent.
        visit.page.get_by_label("Channel", exact=True).fill("ops")
        change("UPDATE channel SET last_error = 'late', state = 'failing'")
        wait_for(other, "#health", "Alerts do not arrive")
        assert (visit.banners(), visit.page.get_by_label("Channel", exact=True).input_value()) == ("", "ops")
        visit.page.get_by_label("Channel", exact=True).fill("")
        wait_for(visit, "#health", "Alerts do not arrive")
        for each in (visit, other):
            assert HOSTILE in each.banners()
            assert key[6:] not in each.page.content()
            assert "s3cret" not in each.page.content()
            each.assert_clean()
            assert each.axe() == []
            each.picture(f"a channel fails, {each.page.url.rpartition('/')[2] or 'overview'}")
    engine.dispose()
