"""The page of administration: what the API answers, by right and within the scope; a secret is shown once."""

import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from rice_stream import __version__
from rice_stream.api.access.rights import RIGHTS, Right
from rice_stream.api.console.drawing.differences import differences
from tests.support.api_running import Api
from tests.support.asgi import Answer
from tests.support.audited import SECRETS_KEY
from tests.support.cli_running import Shell
from tests.support.factor_files import file_of, rci_row
from tests.unit.api.console.reading import ReadPage, read

NEW = [("action", "make"), ("name", "gateway-eu"), ("role", "ingest"), ("tenants", "acme"), ("expires_days", "30")]
SCOPED: dict[str, Any] = {"tenants": frozenset({"acme"})}


def look(api: Api, section: str, role: str = "admin", **scope: Any) -> ReadPage:
    return read(api.send("GET", f"/admin?section={section}", role=role, headers={"accept": "text/html"}, **scope))


def token_of(answer: Answer) -> str:
    found = re.search(r'class="code" readonly[^>]* value="([^"]+)"', answer.body.decode())
    assert found is not None, answer.body
    return found[1]


def listed(ledger: Shell) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ledger.json("token", "list")["tokens"]
    return found


def test_a_token_made_on_the_page_is_shown_once_and_works(api: Api, ledger: Shell) -> None:
    made = api.fill_in("/admin", NEW, "admin")
    assert made.status == 200
    assert made.headers["cache-control"] == "no-store"
    secret = token_of(made)
    [stored] = listed(ledger)
    assert (stored["name"], stored["role"], stored["tenants"]) == ("gateway-eu", "ingest", ["acme"])
    assert secret.startswith(stored["prefix"])
    assert made.body.decode().count(secret) == 1
    later = api.send("GET", "/admin", role="admin", headers={"accept": "text/html"})
    assert secret not in later.body.decode()
    assert stored["prefix"] in later.body.decode()
    assert secret not in str(ledger.json("audit", "list"))


def test_a_token_is_rotated_and_revoked(api: Api, ledger: Shell) -> None:
    api.fill_in("/admin", NEW, "admin")
    [first] = listed(ledger)
    asked = api.send(
        "GET", f"/admin?section=tokens&rotate={first['id']}", role="admin", headers={"accept": "text/html"}
    )
    assert "in the place of “gateway-eu”" in read(asked).text
    rotated = api.fill_in("/admin", [("action", "rotate"), ("id", str(first["id"])), ("overlap_hours", "0")], "admin")
    assert rotated.status == 200
    second = next(each for each in listed(ledger) if each["id"] != first["id"])
    assert token_of(rotated).startswith(second["prefix"])
    asked = api.send(
        "GET", f"/admin?section=tokens&revoke={second['id']}", role="admin", headers={"accept": "text/html"}
    )
    assert "Revoke “gateway-eu”?" in read(asked).text
    done = api.fill_in("/admin", [("action", "revoke"), ("id", str(second["id"]))], "admin")
    assert (done.status, "said=" in done.headers["location"]) == (303, True)
    assert "active" not in {each["state"] for each in listed(ledger)}
    assert "No token that may be used" in look(api, "tokens").text
    assert "revoked" in read(api.send("GET", "/admin?ended=true", role="admin", headers={"accept": "text/html"})).text


def test_the_audit_trail_says_up_to_where_it_is_signed(api: Api, ledger: Shell) -> None:
    """And that it is not yet; who is for some tenants is not told how many entries others have made since."""
    assert "No checkpoint was signed yet" in look(api, "audit").text
    ledger.environment["RICE_SECRETS_KEY"] = SECRETS_KEY
    size = ledger.json("audit", "checkpoint")["checkpoint"]["size"]
    assert f"Signed up to no. {size} on " in look(api, "audit").text
    assert ledger.run("budget", "set", "b", "--tenant=acme", "--limit-kwh=1", "--period=day").exit_code == 0
    assert "and the signature holds. 1 entry has come since." in look(api, "audit").text
    scoped = look(api, "audit", "auditor", **SCOPED).text
    assert "the signature holds. Whether every entry" in scoped
    with closing(sqlite3.connect(ledger.directory / "rice.db")) as connection:
        connection.execute("UPDATE checkpoint SET root = x'00'")
        connection.commit()
    assert "Checkpoint 1 does not hold" in look(api, "audit").text


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"role": "emperor"}, 422, "role"),
        ({"expires_days": "-1"}, 422, "expires_days"),
        ({"expires_days": "soon"}, 422, "expires_days"),
        ({"name": ""}, 422, "name"),
        ({"concurrency": "0"}, 422, "concurrency"),
        ({"tenants": "globex"}, 403, "tenants"),
        ({"tenants": "*"}, 403, "tenants"),
    ],
)
def test_what_is_wrong_or_beyond_ones_rights_is_said(
    api: Api, ledger: Shell, change: dict[str, str], status: int, said: str
) -> None:
    answer = api.fill_in("/admin", [*{**dict(NEW), "name": "entered <b>", **change}.items()], "admin", **SCOPED)
    text = answer.body.decode()
    assert (answer.status, said in text, "Not done" in text) == (status, True, True)
    assert "<b>" not in text
    assert listed(ledger) == []


def test_sections_are_those_of_ones_rights(api: Api) -> None:
    assert "Make a token" in look(api, "tokens").text
    auditor = look(api, "tokens", "auditor")
    assert "Make a token" not in auditor.text
    assert "Audit trail" in auditor.text
    scoped = look(api, "system", "admin", **SCOPED)
    assert "Database" not in scoped.text
    assert "/admin?section=names" not in scoped.links
    for role in ("editor", "reader", "ingest"):
        assert api.get("/admin", role).status == 403
        assert api.fill_in("/admin", NEW, role).status == 403
    assert api.fill_in("/admin", NEW, "auditor").status == 403


def test_roles_are_those_of_the_rights(api: Api) -> None:
    [table] = [table for table in look(api, "roles").tables if table[0][0] == "Right"]
    assert table[0][1:] == list(RIGHTS)
    for right, row in zip(Right, table[1:], strict=True):
        assert row[0] == right.value
        assert ["yes" in cell for cell in row[1:]] == [right in RIGHTS[role] for role in RIGHTS]


def test_the_trail_shows_what_changed_and_is_narrowed_as_in_the_api(api: Api, ledger: Shell) -> None:
    for limit in ("5", "7"):
        assert (
            ledger.run("budget", "set", "b", "--tenant=acme", f"--limit-gco2e={limit}", "--period=day").exit_code == 0
        )
    assert ledger.run("tenant", "set", "globex", "--time-zone=Asia/Kathmandu").exit_code == 0
    shown = look(api, "audit")
    assert "limit_gco2e 5 → 7" in shown.text
    rows = api.get("/v1/audit", "auditor").document["rows"]
    [table] = [table for table in shown.tables if "Change" in table[0]]
    assert len(table) - 1 == len(rows)
    only = "action=budget.set&actor=" + rows[0]["actor"]["name"][:3]
    narrowed = api.get(f"/v1/audit?{only}", "auditor").document["rows"]
    assert {row["action"] for row in narrowed} == {"budget.set"}
    [table] = read(
        api.send("GET", f"/admin?section=audit&{only}", role="auditor", headers={"accept": "text/html"})
    ).tables
    assert len(table) - 1 == len(narrowed) == 2
    assert api.get("/v1/audit?actor=nobody-of-that-name", "auditor").document["rows"] == []
    assert api.get("/v1/audit?to=2020-01-01", "auditor").document["rows"] == []
    assert api.get("/v1/audit?from=2020-01-01", "auditor").document["rows"] == rows
    assert "Kathmandu" not in look(api, "audit", "auditor", **SCOPED).text


def test_a_name_is_mapped_and_ended(api: Api, ledger: Shell) -> None:
    mapped = [("action", "map"), ("kind", "model"), ("name", "corp-chat"), ("target", "gpt-4o"), ("valid_from", "")]
    assert api.fill_in("/admin", mapped, "admin").status == 303
    [row] = api.get("/v1/mappings", "admin").document["rows"]
    shown = look(api, "names")
    assert "corp-chat model gpt-4o" in shown.text
    assert api.fill_in("/admin", [("action", "unmap"), ("id", row["id"])], "admin").status == 303
    assert api.get("/v1/mappings", "admin").document["rows"][-1]["target"] is None
    refused = api.fill_in("/admin", mapped, "admin", **SCOPED)
    assert (refused.status, b"every tenant" in refused.body) == (403, True)
    wrong = api.fill_in("/admin", [*mapped[:3], ("target", "no-such-model-at-all")], "admin")
    assert (wrong.status, b"Not done" in wrong.body) == (400, True)


def test_the_system_is_what_the_database_says(api: Api, ledger: Shell) -> None:
    shown = look(api, "system")
    assert __version__ in shown.text
    assert "SQLite" in shown.text
    assert api.get("/v1/totals", "admin").document["meta"]["versions"][0]["method"] in shown.text


def test_a_difference_names_what_changed_and_nothing_else() -> None:
    assert differences({"a": 1, "b": [1, 2], "c": {"d": None}}, {"a": 1, "b": [2], "c": {"d": "x"}}) == [
        ("b", "1, 2", "2"), ("c.d", "none", "x")
    ]  # fmt: skip
    assert differences(None, {"a": 1, "b": None}) == [("a", None, "1")]
    assert differences({"a": "x"}, None) == [("a", "x", None)]
    assert differences(None, None) == []


def test_factor_sets_are_listed_as_the_api_has_them_to_those_who_see_everything(api: Api, ledger: Shell) -> None:
    assert "The built-in tables hold" in look(api, "factors").text
    file = file_of(rci_row(), effective_from="2030-01-01")
    made = api.send("POST", "/v1/factors", file, role="admin").document
    [table] = look(api, "factors", "auditor").tables
    assert table[1][:3] == ["grid", "rci", "coming"]
    assert table[1][7] == made["digest"][:12]
    assert "Factor sets" not in look(api, "factors", "auditor", **SCOPED).text
    assert [row["action"] for row in ledger.json("audit", "list")["rows"]].count("factors.add") == 1
