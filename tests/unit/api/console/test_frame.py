"""What all pages have in common: their headers, their assets, their errors, and the figures kept for bad times."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from rice_stream.api.console.assets import FOLDER, Assets
from rice_stream.api.console.forms import PageForm, parsed
from rice_stream.api.console.kept import SHOWN_FOR, SLOW_S, KeptFigures
from rice_stream.api.problems import ProblemError
from rice_stream.errors import ServiceUnavailableError
from tests.support.api_running import Api
from tests.support.waiting import wait_until
from tests.unit.api.conftest import Door

VENDOR = FOLDER / "vendor"


def test_every_vendored_file_is_the_one_of_its_lock_and_has_its_licence() -> None:
    locked = json.loads((VENDOR / "vendor.lock.json").read_text())
    for each in locked:
        digest = base64.b64encode(hashlib.sha512((VENDOR / each["file"]).read_bytes()).digest()).decode()
        assert each["file_integrity"] == f"sha512-{digest}", each["file"]
        assert (VENDOR / each["licence_file"]).read_text().strip()
    named = {name for each in locked for name in (each["file"], each["licence_file"])}
    assert {path.name for path in VENDOR.iterdir()} == named | {"vendor.lock.json"}


def test_an_asset_is_found_under_its_digest_alone_and_is_open_to_anybody() -> None:
    address = Assets().address("console.css")
    door = Door()
    found = door.get(address)
    assert (found.status, found.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in found.headers["cache-control"]
    assert door.get("/static/0123456789ab/console.css").status == 404
    assert door.get(address.replace("console.css", "../kept.py")).status == 404


def test_a_browser_without_a_session_is_told_how_to_sign_in_and_a_program_gets_a_problem() -> None:
    door = Door(http_token="secret")
    page = door.get("/", accept="text/html")
    assert (page.status, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert b"sign-in link" in page.body
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert door.get("/").headers["content-type"] == "application/problem+json"
    assert door.get("/v1/totals", accept="text/html").headers["content-type"] == "application/problem+json"


def test_what_is_not_there_and_what_fails_to_be_read_are_pages_for_browsers(api: Api) -> None:
    answer = api.send("GET", "/?tenant=nobody", role="reader", tenants={"acme"}, headers={"accept": "text/html"})
    assert answer.status == 404
    assert b"nothing here that you may see" in answer.body
    wrong = api.send("GET", "/?colour=red", role="reader", headers={"accept": "text/html"})
    assert (wrong.status, wrong.headers["content-type"]) == (422, "text/html; charset=utf-8")


def test_figures_of_before_are_shown_with_their_age_while_the_database_does_not_answer() -> None:
    now = [datetime(2026, 11, 24, 14, 5, tzinfo=UTC)]
    kept = KeptFigures(lambda: now[0])

    def away() -> dict[str, object]:
        raise ServiceUnavailableError("away")

    with pytest.raises(ServiceUnavailableError):
        kept.of("a page", away)
    assert kept.of("a page", lambda: {"total": 5}).old_since is None
    seen_at, now[0] = now[0], datetime(2026, 11, 24, 14, 9, tzinfo=UTC)
    assert kept.of("a page", away) == ({"total": 5}, seen_at, seen_at, False)
    with pytest.raises(ServiceUnavailableError):
        kept.of("another page", away)


class _SlowPage:
    """Figures that take a second by the clock of the test, each time others; `live` says what they were made from."""

    def __init__(self, takes_s: float) -> None:
        self.now = datetime(2026, 11, 24, 14, 5, tzinfo=UTC)
        self.state, self.made, self._seconds, self._takes_s = "1", 0, 0.0, takes_s
        self.kept = KeptFigures(lambda: self.now, lambda: self._seconds)

    def look(self) -> tuple[int, datetime]:
        shown = self.kept.of_live("a page", lambda: self.state, self._look_up)
        assert shown.is_renewed == (shown.as_of != self.now)
        return shown.figures["number"], shown.as_of

    def _look_up(self, _live: str) -> dict[str, object]:
        self.made += 1
        self._seconds += self._takes_s
        return {"number": self.made}


def test_figures_that_take_long_are_shown_as_they_were_while_they_are_worked_out_again() -> None:
    page = _SlowPage(2 * SLOW_S)
    began = page.now
    assert page.look() == (1, began)
    assert page.look() == (1, began)  # nothing has changed
    page.state, page.now = "2", began + timedelta(seconds=30)
    assert page.look() == (1, began)
    wait_until(lambda: page.look() == (2, page.now), 10, "the figures of now")
    assert page.made == 2


def test_figures_of_more_than_a_minute_ago_are_waited_for_and_quick_ones_always() -> None:
    slow, quick = _SlowPage(2 * SLOW_S), _SlowPage(SLOW_S / 2)
    for page in (slow, quick):
        assert page.look()[0] == 1
    slow.now += SHOWN_FOR + timedelta(seconds=1)
    slow.state = quick.state = "2"
    assert (slow.look()[0], quick.look()[0]) == (2, 2)


class _Named(PageForm):
    name: str
    ids: list[int]


def test_a_form_is_read_by_its_shape_and_refused_by_the_names_of_its_fields() -> None:
    assert parsed(_Named, [("name", "x"), ("ids", "1"), ("ids", "2")]) == _Named(name="x", ids=[1, 2])
    for wrong, field in (
        ([("name", "x"), ("name", "y")], "name"),
        ([("ids", "a"), ("name", "x")], "ids"),
        ([("nmae", "x")], "nmae"),
    ):
        with pytest.raises(ProblemError, match=field):
            parsed(_Named, wrong)
