"""The commands about mappings as people use them: dates, files with mistakes, names that nobody has."""

import json
from pathlib import Path

import pytest

from tests.support.cli_running import Shell

COST_CENTRE = ("map", "cost-centre", "search", "CC-1", "--tenant", "acme")


def file_of(ledger: Shell, name: str, text: str) -> str:
    path: Path = ledger.directory / name
    path.write_text(text)
    return str(path)


def test_a_mapping_may_begin_at_a_date(ledger: Shell) -> None:
    """At its beginning in UTC, on the command line as in a file, whether YAML takes it for a date or for text."""
    charged = ledger.json(*COST_CENTRE, "--from", "2026-01-01", "--restate", "--reason", "new books")
    assert [row["valid_from"] for row in charged["mappings"]] == ["2026-01-01T00:00:00Z"]
    assert [move["to"]["cost_centre"] for move in charged["moves"]] == ["CC-1"]
    line = {"kind": "cost_centre", "name": "ads", "target": "CC-2", "tenant_id": "acme"}
    for number, day in enumerate(("2099-01-01", '"2099-02-01"')):
        written = file_of(ledger, "mappings.yaml", json.dumps([line])[:-2] + f', "valid_from": {day}}}]')
        assert ledger.json("map", "import", written)["added"][0]["valid_from"] == f"2099-0{number + 1}-01T00:00:00Z"


def test_a_time_that_is_none_is_named(ledger: Shell) -> None:
    refused = ledger.run(*COST_CENTRE, "--from", "soon")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--from soon: must be RFC 3339 text with a time zone" in refused.stderr
    assert "a date such as 2026-11-22 is allowed as well" in refused.stderr


@pytest.mark.parametrize(
    "command", [("map", "import"), ("factors", "add"), ("budget", "apply")], ids=lambda command: command[0]
)
def test_a_date_that_the_calendar_does_not_have_is_a_mistake_of_the_file(
    ledger: Shell, command: tuple[str, ...]
) -> None:
    """YAML itself refuses it, with an error of its own."""
    refused = ledger.run(*command, file_of(ledger, "bad.yaml", "[{valid_from: 2026-13-01}]"))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "is not YAML: month must be in 1..12" in refused.stderr


def test_a_file_that_is_tried_says_what_needs_restating(ledger: Shell) -> None:
    """It would be refused otherwise: who was charged for what is recorded is changed by entries alone."""
    text = (
        "kind,name,target,valid_from,tenant_id\ncost_centre,search,CC-1,2026-01-01,acme\ncost_centre,ads,CC-2,,acme\n"
    )
    written = file_of(ledger, "mappings.csv", text)
    tried = ledger.run("map", "import", written, "--dry-run")
    assert tried.exit_code == 0
    assert "2 would be added" in tried.stdout
    assert "1 of them begin before events that are recorded: say --restate and --reason" in tried.stderr
    assert ledger.json("map", "import", written, "--dry-run")["needs_restate"] == 1
    assert "say --restate and --reason" in ledger.run("map", "import", written).stderr


def test_a_mapping_of_a_tenant_of_which_nothing_is_known_says_so(ledger: Shell) -> None:
    """It may be one that is still to come, so it is taken."""
    said = ledger.run("map", "cost-centre", "search", "CC-1", "--tenant", "acmee")
    assert said.exit_code == 0
    assert "there is no tenant 'acmee', or nothing has come of it yet" in said.stderr
    assert "there is no tenant" not in ledger.run(*COST_CENTRE).stderr
