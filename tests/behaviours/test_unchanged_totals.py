"""Totals of time that is over have a tag: who has the answer is told that nothing has changed, and only while that is true."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from rice_stream.api.reads import totals as route
from rice_stream.proof.rebuild import rebuild
from rice_stream.reports.totals import totals
from rice_stream.store.engine import Engine
from tests.support.asgi import Answer, ask
from tests.support.fakes import OPERATOR
from tests.support.reports_store import NOON, Store, at
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door

WEEK = "/v1/totals?by=team,model&from=2026-11-01&to=2026-11-08"


class Served:
    """A server in front of the store, whose reports are counted."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self._url = engine.url.render_as_string(hide_password=False)
        self.tokens = Database()
        self._secrets: dict[Any, str] = {}
        self.worked_out = 0

        def counted(*asked: Any) -> dict[str, Any]:
            self.worked_out += 1
            return totals(*asked)

        monkeypatch.setattr(route, "totals", counted)
        self.restart()

    def restart(self) -> None:
        """A new server, that remembers nothing."""
        self.door = Door(tokens=self.tokens, database_url=self._url)
        self.door.product.now = lambda: NOON

    def get(self, path: str = WEEK, tag: str | None = None, *, tenant: str | None = None, team: str = "") -> Answer:
        """The answer to a reader of a scope who has the answer of a tag."""
        key = tenant, team
        if key not in self._secrets:
            teams = frozenset({team} if team else ())
            self._secrets[key] = self.tokens.make("reader", None if tenant is None else {tenant}, teams=teams)
            self.door.admission._book._looked_at_s = None  # type: ignore[union-attr]
        headers = {"authorization": f"Bearer {self._secrets[key]}"}
        if tag is not None:
            headers["if-none-match"] = tag
        return asyncio.run(ask(self.door.app, "GET", path, headers=headers.items()))


@pytest.fixture
def served(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Two prompts of two tenants in the week, one after it."""
    store.add(
        at("2026-11-03T10:00:00Z", team_id="a"),
        at("2026-11-03T10:00:00Z", tenant_id="globex"),
        at("2026-11-20T10:00:00Z"),
    )
    made = Served(store.engine, monkeypatch)
    yield made
    made.door.product.close()


def test_who_has_the_answer_is_told_that_it_stands_without_working_it_out(served: Served) -> None:
    """With its tag however that is written, and how to keep the answer; nothing else."""
    first = served.get()
    tag = first.headers["etag"]
    assert (first.status, tag[:3], served.worked_out) == (200, 'W/"', 1)
    for given in (tag, tag.removeprefix("W/"), f'"other", {tag}'):
        answer = served.get(tag=given)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
        assert answer.headers["cache-control"] == "private, no-cache"
        assert "content-type" not in answer.headers
    assert served.worked_out == 1
    assert (served.get(tag="*").status, served.get(tag='W/"other"').status, served.get(tag="").status) == (
        304,
        200,
        200,
    )


def test_a_late_event_changes_the_tag_and_others_do_not(served: Served, store: Store) -> None:
    """Also one that comes again, which is in the totals already; what lies outside the stretch costs no new answer."""
    tag = served.get().headers["etag"]
    store.add(at("2026-11-03T10:00:00Z", team_id="a"), at("2026-11-21T10:00:00Z"))
    assert (served.get(tag=tag).status, served.worked_out) == (304, 1)
    store.add(at("2026-11-07T23:59:59.999Z", team_id="a"))
    late = served.get(tag=tag)
    assert (late.status, late.document["total"]["prompts"], served.worked_out) == (200, 3, 2)
    assert served.get(tag=late.headers["etag"]).status == 304


def test_corrections_and_time_zones_are_seen(served: Served, store: Store) -> None:
    """Whatever changes totals without a new prompt is in the audit trail, and so in the state that is remembered."""
    path = f"{WEEK}&tenant=acme"
    right = served.get(path).headers["etag"]
    store.execute("UPDATE day_total SET carbon_mid_ugco2e = carbon_mid_ugco2e + 1")
    served.restart()
    wrong = served.get(path)
    assert wrong.headers["etag"] != right
    assert rebuild(store.engine, by=OPERATOR)["ok"]
    mended = served.get(path, wrong.headers["etag"])
    assert (mended.status, mended.headers["etag"]) == (200, right)
    store.set_time_zone("acme", "Asia/Kolkata")
    elsewhere = served.get(path, right)
    assert (elsewhere.status, elsewhere.document["window"]["time_zone"]) == (200, "Asia/Kolkata")


def test_a_tag_is_of_the_answer_and_good_at_every_server(served: Served) -> None:
    """Nothing is remembered of it there: the answer is worked out, and found to be the same."""
    tag = served.get().headers["etag"]
    served.restart()
    assert (served.get(tag=tag).status, served.worked_out) == (304, 2)
    assert (served.get(tag=tag).status, served.worked_out) == (304, 2)


def test_a_tag_is_of_what_its_caller_sees(served: Served, store: Store) -> None:
    """Another scope has another; what happens to others changes neither it nor the work that is done for it."""
    whole, own = served.get().headers["etag"], served.get(tenant="acme").headers["etag"]
    assert whole != own
    assert served.get(tag=whole, tenant="acme").status == 200
    before = served.worked_out
    store.add(at("2026-11-04T10:00:00Z", tenant_id="globex"))
    assert (served.get(tag=own, tenant="acme").status, served.worked_out) == (304, before)
    assert served.get(tag=whole).status == 200
    of_team = served.get(tenant="acme", team="a")
    assert served.get(tag=of_team.headers["etag"], tenant="acme", team="a").status == 304
    store.add(at("2026-11-04T11:00:00Z", team_id="a"))
    assert served.get(tag=of_team.headers["etag"], tenant="acme", team="a").status == 200


@pytest.mark.parametrize(
    "query",
    [
        "window=24h",
        "window=mtd",
        "from=2026-11-01",
        "to=2026-11-22T12:00:01Z",
        "to=2026-11-23",  # which begins at noon where days begin first, and has to begin everywhere
        "from=2026-11-01&to=2026-11-08&format=csv",
    ],
)
def test_what_goes_on_has_no_tag(served: Served, query: str) -> None:
    """Windows that move, stretches that are not over in every time zone, and files."""
    answer = served.get(f"/v1/totals?{query}", tag="*")
    assert (answer.status, "etag" in answer.headers) == (200, False)


def test_what_is_over_everywhere_has_one(served: Served) -> None:
    """Days that are, and instants."""
    for query in ("to=2026-11-22", "to=2026-11-22T12:00:00Z", "to=2026-11-08&by=user&impacts=true"):
        tag = served.get(f"/v1/totals?{query}").headers["etag"]
        assert served.get(f"/v1/totals?{query}", tag).status == 304
