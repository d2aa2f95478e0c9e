"""The page of channels: what the API says of channels and deliveries, forms that do what the command line does, and no secret."""

import base64
import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from rice_stream.store.engine import Engine, open_engine
from tests.support.api_running import Api
from tests.support.asgi import Answer
from tests.support.channels_store import add_channel, add_delivery
from tests.support.cli_running import Shell
from tests.unit.api.console.reading import ReadPage, read

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
NEW = {
    "action": "make",
    "type": "webhook",
    "name": "ops",
    "url": "https://hooks.example/in?token=s3cret",
    "secret": SECRET,
    "tenants": "acme\r\n\r\nglobex ",
    "budgets": "",
    "min_severity": "warning",
    "remind_every": "4h",
    "statements": "on",
    "quiet_start": "22:00",
    "quiet_end": "07:00",
    "quiet_zone": "Europe/Berlin",
    "breaks_through": "critical",
}
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


def send(api: Api, fields: Mapping[str, str], role: str = "editor", **scope: Any) -> Answer:
    return api.fill_in("/channels", [*fields.items()], role, **scope)


def stored(engine: Engine, table: str) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY id").mappings()]


def test_a_channel_set_in_the_form_is_stored_as_it_was_filled_in_and_its_secrets_are_nowhere(
    api: Api, engine: Engine, ledger: Shell
) -> None:
    answer = send(api, NEW)
    assert (answer.status, "said=" in answer.headers["location"]) == (303, True), answer.body
    [row] = stored(engine, "channel")
    assert (row["name"], row["type"], row["tenants"], row["min_severity"]) == (
        "ops",
        "webhook",
        '["acme", "globex"]',
        "warning",
    )
    assert row["target"] == "https://hooks.example/in"
    assert '"remind_every_s": 14400' in row["settings"]
    shown = page(api, role="admin")
    assert "ops webhook · https://hooks.example/in ✓ ok alerts of acme, globex, from warning on" in shown.text
    assert "quiet from 22:00 to 07:00 Europe/Berlin; critical breaks through told again every 4 hours" in shown.text
    form = api.send("GET", f"/channels?change={row['id']}", headers={"accept": "text/html"})
    assert 'name="quiet_start" value="22:00"' in form.body.decode()
    trail = str(ledger.json("audit", "list"))
    assert "channel.set" in trail
    for text in (shown.text, form.body.decode(), trail, str(row["settings"])):
        assert "s3cret" not in text
        assert SECRET[6:] not in text


def test_a_key_that_is_made_is_shown_once(api: Api, engine: Engine) -> None:
    made = send(api, {**NEW, "secret": ""})
    assert (made.status, made.headers["cache-control"]) == (200, "no-store")
    [key] = re.findall(r'class="code" readonly[^>]* value="(whsec_[^"]+)"', made.body.decode())
    [row] = stored(engine, "channel")
    seen = page(api).text
    assert key not in seen
    change = {**NEW, "action": "change", "url": "", "secret": "", "new_secret": "on", "seen": _seen(api, row["id"])}
    again = send(api, change)
    assert "whsec_" in again.body.decode()
    assert key not in again.body.decode()


def _seen(api: Api, channel_id: int) -> str:
    form = api.send("GET", f"/channels?change={channel_id}", headers={"accept": "text/html"})
    [seen] = re.findall(r'name="seen" value="([^"]+)"', form.body.decode())
    return html.unescape(str(seen))


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"name": ""}, 422, "name: is missing"),
        ({"name": "kafka"}, 422, "always there"),
        ({"url": "ftp://x"}, 422, "url"),
        ({"quiet_end": ""}, 422, "quiet_hours.end"),
        ({"remind_every": "5y"}, 422, "remind_every"),
        ({"secret": "whsec_short"}, 422, "secret"),
        ({"tenants": ""}, 404, "tenants"),
        ({"tenants": "globex"}, 404, "tenants"),
    ],
)
def test_what_is_wrong_or_beyond_ones_rights_is_said_and_what_was_entered_stays(
    api: Api, engine: Engine, change: dict[str, str], status: int, said: str
) -> None:
    """But for what is secret."""
    answer = send(api, {**NEW, "tenants": "acme", "budgets": "<b>mine", **change}, **ACME)
    text = answer.body.decode()
    assert (answer.status, said in text, "Not done" in text) == (status, True, True), text
    assert "&lt;b&gt;mine" in text
    assert "<b>" not in text
    assert "s3cret" not in text
    assert SECRET[6:] not in text
    assert stored(engine, "channel") == []


def test_a_channel_is_changed_and_removed_by_who_has_seen_it_as_it_is(api: Api, engine: Engine) -> None:
    send(api, NEW)
    taken = send(api, NEW)
    assert (taken.status, b"of this name already" in taken.body) == (409, True)
    [row] = stored(engine, "channel")
    seen = _seen(api, row["id"])
    change = {
        **NEW,
        "action": "change",
        "url": "",
        "secret": "",
        "seen": seen,
        "min_severity": "critical",
        "tenants": "acme",
    }
    assert send(api, change).status == 303
    [changed] = stored(engine, "channel")
    assert (changed["id"], changed["min_severity"], changed["sealed"]) == (row["id"], "critical", row["sealed"])
    stale = send(api, {**change, "id": str(row["id"]), "min_severity": "info"})
    assert (stale.status, b"somebody else has changed it meanwhile" in stale.body) == (412, True)
    assert 'value="critical" selected>Critical ones only' in stale.body.decode(), "as it is now"
    assert "Remove “ops”?" in page(api, f"/channels?remove={row['id']}").text
    gone = {"action": "remove", "name": "ops", "of": "acme"}
    assert send(api, {**gone, "seen": seen}).status == 412
    assert send(api, {**gone, "seen": _seen(api, row["id"])}).status == 303
    assert stored(engine, "channel") == []
    assert send(api, change).status == 404


def test_a_test_makes_a_delivery_and_leads_to_it(api: Api, engine: Engine) -> None:
    send(api, NEW)
    answer = send(api, {"action": "test", "name": "ops"})
    [row] = stored(engine, "delivery")
    assert (answer.status, answer.headers["location"]) == (303, f"/channels?delivery={row['id']}")
    assert row["kind"] == "test"
    shown = page(api, answer.headers["location"])
    assert "The test of ops All deliveries … due It is next in turn" in shown.text
    assert row["message_id"] in shown.text
    assert f"/channels?delivery={row['id']}" in shown.links


def test_deliveries_are_shown_narrowed_and_sent_again(api: Api, engine: Engine) -> None:
    number = add_channel(engine, "hook", ["acme"])
    answered = {"answered_status": 503, "answer_head": "<script>no</script>", "attempts": 3}
    for place in range(30):
        state = "failed" if place == 29 else "dead" if place % 2 else "done"
        add_delivery(engine, number, f"{place}", state=state, tenant_id="acme", **answered)
    first = page(api)
    [rows] = [table[1:] for table in first.tables if "Last answer" in table[0]]
    assert [row[0].split("no. ")[1] for row in rows] == [str(number) for number in range(30, 5, -1)]
    assert "<script>no</script> Try now" in rows[0][-1]
    assert "Send again" not in rows[1][-1], "it has arrived"
    [rest] = [table[1:] for table in page(api, "/channels?before=6").tables if "Last answer" in table[0]]
    assert len(rest) == 5
    assert "No delivery fits" in page(api, "/channels?channel=nobody").text
    dead = page(api, "/channels?state=dead&channel=hook")
    [rows] = [table[1:] for table in dead.tables if "Last answer" in table[0]]
    assert len(rows) == 14
    one = send(api, {"action": "resend", "id": "2"})
    assert (one.status, one.headers["location"]) == (303, "/channels?delivery=2")
    several = send(api, {"action": "resend", "since": "2026-01-01", "name": "hook"})
    assert "14+deliveries+are+sent+again+now" in several.headers["location"]
    assert {row["state"] for row in stored(engine, "delivery")} == {"due", "done"}
    assert send(api, {"action": "resend", "id": "2"}).status == 409
    assert send(api, {"action": "resend"}).status == 422


def test_what_a_digest_tells_of_says_which(api: Api, engine: Engine) -> None:
    """It has not been tried itself."""
    number = add_channel(engine, "ops", ["acme"])
    digest = add_delivery(engine, number, "digest:1", kind="digest", state="done")
    add_delivery(engine, number, "held", state="done", told_by=digest)
    assert f"told by digest no. {digest}" in page(api, "/channels", **ACME).text


def test_each_sees_the_channels_of_ones_own_tenants_and_may_change_these(api: Api, engine: Engine) -> None:
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
        assert ("Send a test" in shown.text) == (role != "reader" and bool(names))
        assert ("Set a channel" in shown.text) == (role != "reader" and "teams" not in dict(scope))
    assert api.get("/channels?delivery=1", "reader", **ACME).status == 404
    assert api.send("GET", "/channels?change=1", headers={"accept": "text/html"}, **ACME).status == 404
    for fields in ({"action": "test", "name": "globex's"}, {"action": "resend", "id": "3"}):
        assert send(api, fields, **ACME).status == 404
        assert send(api, fields, "reader").status == 403
    assert [row["state"] for row in stored(engine, "delivery")] == ["dead"] * 3


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
