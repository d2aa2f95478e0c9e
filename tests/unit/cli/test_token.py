"""`rice-stream token`: what is printed once, what is listed, and what is refused."""

import json

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
    assert (everybody["tenants"], everybody["expires_at"]) == ("*", None)
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
    ):
        assert shell.run(*wanted, *options).exit_code == 2, options
    assert json.loads(shell.run("token", "list", "--json").stdout) == {"tokens": []}
