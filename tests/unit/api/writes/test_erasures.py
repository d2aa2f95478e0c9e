"""Erasing over HTTP, on the page and on the command line: who may, what is answered, and that the name is gone afterwards."""

import sqlite3
from contextlib import closing
from typing import Any

from tests.support.api_running import Api
from tests.support.cli_running import Shell
from tests.unit.api.console.reading import read

USER = {"tenant_id": "acme", "user": "u-1", "reason": "asked for on paper"}
FORM = [
    ("action", "erase"),
    ("tenant_id", "acme"),
    ("kind", "user"),
    ("name", "u-1"),
    ("reason", "asked for on paper"),
    ("confirm", "u-1"),
]


def users(ledger: Shell) -> list[str]:
    with closing(sqlite3.connect(ledger.directory / "rice.db")) as database:
        return [name for (name,) in database.execute("SELECT name FROM principal WHERE kind = 'user'")]


def test_a_user_is_erased_and_totals_stay(api: Api, ledger: Shell) -> None:
    """Asked for a second time, nothing is left to do; the trail has the reason and no name."""
    before = api.get("/v1/totals?tenant=acme").document["total"]
    counted = api.send("POST", "/v1/erasures", {**USER, "dry_run": True}, role="admin")
    assert (counted.status, counted.document["erased"]["principal"], users(ledger)) == (200, 1, ["u-1"])
    done = api.send("POST", "/v1/erasures", USER, role="admin")
    assert done.document["erased"] == counted.document["erased"]
    assert users(ledger) == [done.document["stands_for"]]
    again = api.send("POST", "/v1/erasures", USER, role="admin")
    assert set(again.document["erased"].values()) == {0}
    assert api.get("/v1/totals?tenant=acme").document["total"] == before
    [entry] = ledger.json("audit", "list", "--action", "names.erase")["rows"]
    assert (entry["after"]["reason"], "u-1" in str(entry)) == (USER["reason"], False)
    assert ledger.json("audit", "verify")["ok"]
    assert ledger.json("verify")["ok"]


def test_only_admins_of_everything_erase(api: Api, ledger: Shell) -> None:
    """What is wrong with a request is said, and nothing has happened."""
    for role in ("editor", "reader", "auditor", "ingest"):
        assert api.send("POST", "/v1/erasures", USER, role=role).status == 403
    assert api.send("POST", "/v1/erasures", USER, role="admin", tenants={"acme"}).status == 403
    for changes, status in (
        ({"tenant_id": "nobody"}, 404),
        ({"user": "nobody"}, 404),
        ({"api_key": "k"}, 400),
        ({"reason": "u-1 has left"}, 400),
        ({"reason": " "}, 400),
        ({"user": ""}, 422),
        ({"colour": "red"}, 422),
    ):
        answer = api.send("POST", "/v1/erasures", {**USER, **changes}, role="admin")
        assert answer.status == status, (changes, answer.document)
    assert users(ledger) == ["u-1"]


def test_on_the_page_the_name_is_written_twice(api: Api, ledger: Shell) -> None:
    """What was erased is told there without it."""
    refused = api.fill_in("/admin", [*FORM[:-1], ("confirm", "u-2")], "admin")
    assert (refused.status, users(ledger)) == (400, ["u-1"])
    assert "a second time" in refused.body.decode()
    done = api.fill_in("/admin", FORM, "admin")
    assert (done.status, "u-1" in done.headers["location"]) == (303, False)
    shown = api.send("GET", "/admin?section=erasing", role="admin", headers={"accept": "text/html"})
    [name] = users(ledger)
    assert (name in read(shown).text, "u-1" in read(shown).text, USER["reason"] in read(shown).text) == (
        True,
        False,
        True,
    )
    scoped: dict[str, Any] = {"tenants": frozenset({"acme"})}
    assert api.fill_in("/admin", FORM, "admin", **scoped).status == 403
    whole = [("action", "erase"), ("tenant_id", "acme"), ("kind", "tenant"), ("reason", "ended"), ("confirm", "acme")]
    assert api.fill_in("/admin", whole, "admin").status == 303
    assert "acme" not in {row["tenant_id"] for row in ledger.json("tenant", "list")["tenants"]}


def test_the_command_counts_first_and_erases_then(ledger: Shell) -> None:
    asked = ("erase", "--tenant=acme", "--user=u-1", "--reason=asked for on paper")
    counted = ledger.run(*asked, "--dry-run")
    assert (counted.exit_code, "would change" in counted.stdout, users(ledger)) == (0, True, ["u-1"])
    document = ledger.json(*asked)
    assert (document["erased"]["principal"], users(ledger)) == (1, [document["stands_for"]])
    assert ledger.run("erase", "--tenant=acme", "--user=nobody", "--reason=r").exit_code != 0
    assert ledger.json("erase", "--tenant=acme", "--reason=ended")["erased"]["tenant"] == 1
    assert ledger.json("totals")["total"]["prompts"] == 3
