"""`rice-stream token`: what is printed once, what is listed, and what is refused."""

import json
from datetime import datetime, timedelta

from rice_stream.api.access.secrets import may_be_token
from tests.support.cli_running import Shell


def made(shell: Shell, *options: str) -> dict[str, object]:
    """The answer to `token create --json`."""
    result = shell.run("token", "create", *options, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, object] = json.loads(result.stdout)
    return document


def test_a_token_is_shown_once_with_what_it_allows(shell: Shell) -> None:
    """As the contract names it; the list has everything but the token."""
    assert shell.run("migrate").exit_code == 0
    options = ("--tenant", "acme", "--tenant", "globex", "--team", "search", "--rate", "5", "--concurrency", "3")
    document = made(shell, "--name", "gw", "--role", "ingest", *options, "--expires-days", "1.5")
    secret = str(document["token"])
    assert may_be_token(secret)
    assert secret.startswith(str(document["prefix"]))
    assert document["tenants"] == ["acme", "globex"]
    assert (document["role"], document["teams"], document["state"]) == ("ingest", ["search"], "active")
    assert str(document["expires_at"]).endswith("Z")
    everybody = made(shell, "--name", "all", "--role", "admin")
    assert everybody["tenants"] == "*"
    listed = shell.run("token", "list", "--json")
    rows = json.loads(listed.stdout)["tokens"]
    assert [row["name"] for row in rows] == ["gw", "all"]
    assert {name: value for name, value in document.items() if name != "token"} == rows[0]
    assert secret not in listed.stdout + shell.run("token", "list").stdout


def test_for_people_the_token_alone_is_on_stdout(shell: Shell) -> None:
    """So that it can be put into a file or a variable."""
    assert shell.run("migrate").exit_code == 0
    result = shell.run("token", "create", "--name", "gw", "--role", "reader")
    assert may_be_token(result.stdout.strip())
    assert "not shown again" in result.stderr


def test_a_token_ends_after_90_days_but_for_one_that_only_sends_events(shell: Shell) -> None:
    """That one never ends unless somebody says so, which is warned of."""
    assert shell.run("migrate").exit_code == 0
    for role in ("admin", "editor", "reader", "auditor"):
        document = made(shell, "--name", role, "--role", role)
        lasts = datetime.fromisoformat(str(document["expires_at"])) - datetime.fromisoformat(
            str(document["created_at"])
        )
        assert lasts == timedelta(days=90), role
    endless = shell.run("token", "create", "--name", "gw", "--role", "ingest", "--json")
    assert json.loads(endless.stdout)["expires_at"] is None
    assert "never expires" in endless.stderr
    ends = shell.run("token", "create", "--name", "gw-2", "--role", "ingest", "--expires-days", "1", "--json")
    assert json.loads(ends.stdout)["expires_at"] is not None
    assert "never expires" not in ends.stderr


def test_a_token_is_rotated_by_its_id(shell: Shell) -> None:
    """The new one is shown once; both are listed."""
    assert shell.run("migrate").exit_code == 0
    old = made(shell, "--name", "gw", "--role", "reader", "--tenant", "acme")
    rotated = shell.run("token", "rotate", str(old["id"]), "--overlap-hours", "2", "--json")
    new = json.loads(rotated.stdout)
    assert may_be_token(new["token"])
    assert (new["replaces"], new["name"], new["tenants"]) == (old["id"], "gw", ["acme"])
    listed = json.loads(shell.run("token", "list", "--json").stdout)["tokens"]
    assert [(row["id"], row["state"]) for row in listed] == [(old["id"], "active"), (new["id"], "active")]
    again = shell.run("token", "rotate", str(old["id"]))
    assert (again.exit_code, "replaced by token" in again.stderr) == (2, True)


def test_what_is_done_with_tokens_is_in_the_audit_trail_without_them(shell: Shell) -> None:
    """Who did it is the account of this machine."""
    assert shell.run("migrate").exit_code == 0
    document = made(shell, "--name", "gw", "--role", "reader", "--tenant", "acme")
    shell.run("token", "revoke", str(document["id"]))
    listed = shell.run("audit", "list", "--tenant", "acme", "--json")
    rows = json.loads(listed.stdout)["rows"]
    assert [row["action"] for row in rows] == ["token.revoke", "token.create"]
    assert {row["actor"]["kind"] for row in rows} == {"command line"}
    assert rows[1]["after"]["role"] == "reader"
    shown = listed.stdout + shell.run("audit", "list").stdout
    assert "token.create" in shown
    assert "schema.migrate" in shown
    assert str(document["token"]).rpartition("_")[2][:6] not in shown


def test_a_token_is_revoked_by_its_id(shell: Shell) -> None:
    assert shell.run("migrate").exit_code == 0
    document = made(shell, "--name", "gw", "--role", "ingest")
    revoked = shell.run("token", "revoke", str(document["id"]), "--json")
    assert json.loads(revoked.stdout)["state"] == "revoked"
    again = shell.run("token", "revoke", "77")
    assert (again.exit_code, "77" in again.stderr) == (2, True)


def test_what_makes_no_sense_is_refused(shell: Shell) -> None:
    assert shell.run("migrate").exit_code == 0
    wanted = ("token", "create", "--name", "gw")
    for options in (
        ("--role", "owner"),
        ("--role", "ingest", "--tenant", ""),
        ("--role", "ingest", "--tenant", "*", "--tenant", "acme"),
        ("--role", "ingest", "--expires-days", "0"),
        ("--role", "ingest", "--rate", "0"),
        ("--role", "ingest", "--concurrency", "0"),
        ("--role", "ingest", "--tenant", "x" * 257),
        ("--role", "ingest", "--tenant", "half \ud800"),
    ):
        assert shell.run(*wanted, *options).exit_code == 2, options
    assert json.loads(shell.run("token", "list", "--json").stdout) == {"tokens": []}
