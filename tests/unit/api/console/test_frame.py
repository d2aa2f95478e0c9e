"""What all pages have in common: their headers, their assets, their errors, and the figures kept for bad times."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from rice_stream.api import product as product_module
from rice_stream.api.console import views
from rice_stream.api.console.assets import FOLDER, Assets
from rice_stream.api.console.forms import PageForm, parsed
from rice_stream.api.console.kept import AFTERWARDS, SHOWN_FOR, SLOW_S, KeptFigures
from rice_stream.api.problems import ProblemError
from rice_stream.errors import ServiceUnavailableError
from rice_stream.store.engine import Connection, Engine, StoreSlowError
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


def test_a_page_without_earlier_figures_is_asked_for_twice_where_it_takes_the_database_too_long() -> None:
    """What was read and planned for the first time need not be again. With figures of before those are shown, and nothing is asked
    twice; a database that is away is not either."""
    kept = KeptFigures(lambda: datetime(2026, 11, 24, 14, 5, tzinfo=UTC))
    errors: list[Exception] = []
    asked = 0

    def look() -> dict[str, object]:
        nonlocal asked
        asked += 1
        if errors:
            raise errors.pop()
        return {"total": 5}

    errors[:] = [StoreSlowError("slow")] * 2
    with pytest.raises(StoreSlowError):
        kept.of("a page", look)
    assert (asked, errors) == (2, [])
    errors[:] = [StoreSlowError("slow")]
    assert kept.of("a page", look).old_since is None
    assert asked == 4
    errors[:] = [StoreSlowError("slow")]
    assert kept.of("a page", look).old_since is not None
    errors[:] = [ServiceUnavailableError("away")]
    with pytest.raises(ServiceUnavailableError):
        kept.of("another page", look)
    assert asked == 6


class _SlowPage:
    """Figures that take a second by the clock of the test, each time others; `live` says what they were made from."""

    def __init__(self, takes_s: float, *, is_callers_own: bool = True) -> None:
        self.is_callers_own = is_callers_own
        self.now = datetime(2026, 11, 24, 14, 5, tzinfo=UTC)
        self.state, self.made, self._seconds, self._takes_s = "1", 0, 0.0, takes_s
        self.kept = KeptFigures(lambda: self.now, lambda: self._seconds)

    def look(self) -> tuple[int, datetime]:
        shown = self.kept.of_live("a page", self)
        assert shown.is_renewed == (shown.as_of != self.now)
        return shown.figures["number"], shown.as_of

    @contextmanager
    def looked(self, *, anew: bool) -> Iterator[tuple[str | None, bool]]:
        yield None, False

    @contextmanager
    def held(self) -> Iterator[str | None]:
        yield None

    def marker(self) -> None:
        raise AssertionError("nothing is asked afterwards")

    def sign(self) -> str | None:
        return self.state if self.is_callers_own else None

    def sign_held(self) -> str:
        return self.state

    def figures(self, _live: str) -> dict[str, object]:
        self.made += 1
        self._seconds += self._takes_s
        return {"number": self.made}


@pytest.mark.parametrize("is_callers_own", [True, False])
def test_figures_that_take_long_are_shown_as_they_were_while_they_are_worked_out_again(*, is_callers_own: bool) -> None:
    page = _SlowPage(2 * SLOW_S, is_callers_own=is_callers_own)
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


class _QuickPage(_SlowPage):
    """Figures that are found at once, of a database that tells what is committed."""

    def __init__(self) -> None:
        super().__init__(0.0, is_callers_own=False)
        self.markers, self.finds_more = ["1"], False

    @contextmanager
    def looked(self, *, anew: bool) -> Iterator[tuple[str | None, bool]]:
        yield self.markers[0], False

    @contextmanager
    def held(self) -> Iterator[str | None]:
        yield self.markers[-1]

    def marker(self) -> str | None:  # type: ignore[override]
        return self.markers[-1]

    def figures(self, live: str) -> dict[str, object]:
        more = {AFTERWARDS: lambda: {"more": "of others"}} if self.finds_more else {}
        return {**super().figures(live), **more}


@pytest.mark.parametrize("finds_more", [False, True])
def test_figures_are_shown_again_within_their_minute_until_something_is_committed(*, finds_more: bool) -> None:
    page = _QuickPage()
    page.finds_more = finds_more
    first = page.look()
    page.now += timedelta(seconds=30)
    assert page.kept.of_live("a page", page) == ({"live": "1", "number": 1, **_more(page)}, first[1], None, False)
    page.now += timedelta(seconds=30)
    assert page.look()[0] == 2
    page.markers = ["2"]
    assert page.look()[0] == 3
    # Something was committed while the page was made: what is around it may be older than its figures.
    page.markers = ["3", "4"]
    assert page.look()[0] == 4
    page.markers = ["4"]
    assert (page.look()[0], page.look()[0]) == (5, 5)


def _more(page: _QuickPage) -> dict[str, object]:
    return {"more": "of others"} if page.finds_more else {}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[list[object]]:
    """For each connection that is taken: the pools of all that are held then."""
    held: list[object] = []
    taken: list[list[object]] = []

    def connect(engine: Engine) -> Connection:
        connection = real(engine)
        held.append(engine.pool)
        taken.append([*held])
        close = connection.close

        def closed() -> None:
            if not connection.closed:
                held.remove(engine.pool)
            close()

        monkeypatch.setattr(connection, "close", closed, raising=False)
        return connection

    real = Engine.connect
    monkeypatch.setattr(Engine, "connect", connect)
    return taken


@pytest.mark.parametrize("is_quiet", [False, True])
@pytest.mark.parametrize("path", ["/", "/explore", "/budgets", "/models", "/quality", "/periods", "/channels"])
def test_no_page_takes_a_second_connection_while_it_holds_one(
    api: Api, path: str, taken: list[list[object]], monkeypatch: pytest.MonkeyPatch, *, is_quiet: bool
) -> None:
    """Whoever does can wait for ever for others that do the same. Figures of several tenants have connections of their own, whose
    holders may take one of the others, but never the other way round. Where nothing is committed, one is enough for all."""
    if is_quiet:
        for module in (views, product_module):
            monkeypatch.setattr(module, "progress_marker", lambda *_: "nothing is committed")
    product = api.door.product
    narrow, wide = product.engine().pool, product.wide_engine().pool
    asked = ["", "?tenant=acme", "?tenant=acme&time_zone=Asia/Kathmandu"]
    if path == "/explore":
        asked.append("?tenant=acme&team=nobody")
    for caller in ({}, {"tenants": {"acme"}}, {"tenants": {"acme", "globex"}}):
        for query in asked:
            taken.clear()
            answer = api.send("GET", path + query, role="reader", headers={"accept": "text/html"}, **caller)
            assert answer.status == 200, answer.body
            assert all(each in ([narrow], [wide], [wide, narrow]) for each in taken)
        if is_quiet and path not in ("/channels", "/explore"):
            assert taken == [[narrow]]


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
