"""The page of channels: what is reported of channels and deliveries, by right and within the scope."""

from collections.abc import Iterator
from typing import Any

import pytest

from rice_stream.store.engine import Engine, open_engine
from tests.support.api_running import Api
from tests.support.channels_store import add_channel, add_delivery
from tests.support.cli_running import Shell
from tests.unit.api.console.reading import ReadPage, read

ACME: dict[str, Any] = {"tenants": frozenset({"acme"})}
TEAM: dict[str, Any] = {**ACME, "teams": frozenset({"search"})}


@pytest.fixture
def engine(ledger: Shell) -> Iterator[Engine]:
    """The database of the server."""
    opened = open_engine(str(ledger.environment["RICE_DATABASE_URL"]))
    yield opened
    opened.dispose()


def page(api: Api, path: str = "/channels", role: str = "editor", **scope: Any) -> ReadPage:
    return read(api.send("GET", path, role=role, headers={"accept": "text/html"}, **scope))


def test_deliveries_are_shown_narrowed_in_pages(api: Api, engine: Engine) -> None:
    number = add_channel(engine, "hook", ["acme"])
    answered = {"answered_status": 503, "answer_head": "<script>no</script>", "attempts": 3}
    for place in range(30):
        state = "failed" if place == 29 else "dead" if place % 2 else "done"
        add_delivery(engine, number, f"{place}", state=state, tenant_id="acme", **answered)
    first = page(api)
    [rows] = [table[1:] for table in first.tables if "Last answer" in table[0]]
    assert [row[0].split("no. ")[1] for row in rows] == [str(number) for number in range(30, 5, -1)]
    assert "<script>no</script>" in rows[0][-1]
    [rest] = [table[1:] for table in page(api, "/channels?before=6").tables if "Last answer" in table[0]]
    assert len(rest) == 5
    assert "No delivery fits" in page(api, "/channels?channel=nobody").text
    dead = page(api, "/channels?state=dead&channel=hook")
    [rows] = [table[1:] for table in dead.tables if "Last answer" in table[0]]
    assert len(rows) == 14


def test_what_a_digest_tells_of_says_which(api: Api, engine: Engine) -> None:
    """It has not been tried itself."""
    number = add_channel(engine, "ops", ["acme"])
    digest = add_delivery(engine, number, "digest:1", kind="digest", state="done")
    add_delivery(engine, number, "held", state="done", told_by=digest)
    assert f"told by digest no. {digest}" in page(api, "/channels", **ACME).text


def test_each_sees_the_channels_of_ones_own_tenants(api: Api, engine: Engine) -> None:
    """All of a channel's tenants, and every team; otherwise nothing of it is there."""
    for name, tenants in (("everybody's", None), ("acme's", ["acme"]), ("globex's", ["globex"])):
        number = add_channel(engine, name, tenants)
        add_delivery(engine, number, "x", channel=name, state="dead")
    seen = {
        ("admin", ()): {"everybody's", "acme's", "globex's"},
        ("reader", tuple(ACME.items())): {"acme's"},
        ("editor", tuple(ACME.items())): {"acme's"},
        ("editor", tuple(TEAM.items())): set(),
    }
    for (role, scope), names in seen.items():
        shown = page(api, role=role, **dict(scope))
        assert {each for each in ("everybody's", "acme's", "globex's") if each in shown.text} == names, role
    assert api.get("/channels?delivery=1", "reader", **ACME).status == 404


def test_every_page_says_when_deliveries_do_not_arrive(api: Api, engine: Engine) -> None:
    """To those who see the channel; and nothing where all is well."""
    quiet = "Look at the channels"
    assert quiet not in page(api, "/").text
    number = add_channel(engine, "<b>ops", ["acme"], state="failing")
    add_channel(engine, "old", ["acme"], state="disabled")
    add_delivery(engine, number, "x", lane="budget:1")
    for path in ("/", "/budgets", "/explore", "/quality"):
        text = page(api, path, **ACME).text
        assert "Alerts do not arrive: nothing has reached <b>ops for a day." in text, path
        assert "the receiver of old said that it is gone" in text
        assert "1 delivery has waited since 22 Nov 2026, 12:00" in text
    assert quiet not in page(api, "/", tenants=frozenset({"globex"})).text
