"""The report commands as people use them: what they show, what they ask back, and the code they end with."""

import json
import sqlite3

import pytest

from tests.support.cli_running import Shell


def change(ledger: Shell, statement: str) -> None:
    with sqlite3.connect(ledger.directory / "rice.db") as connection:
        connection.execute(statement)


def test_totals_show_kilograms_with_their_range_and_a_line_of_all(ledger: Shell) -> None:
    """Names first, the largest first; what is left out is said on stderr."""
    shown = ledger.run("totals", "--by", "tenant,user", "--limit", "1")
    lines = shown.stdout.splitlines()
    assert lines[1].split() == [
        "tenant",
        "user",
        "prompts",
        "input",
        "tokens",
        "output",
        "tokens",
        "kWh",
        "kgCO2e",
        "low",
        "high",
    ]
    assert lines[-1].split()[:4] == ["all", "3", "3,000", "300"]
    assert len(lines) == 4
    assert "2 of 3 rows are not shown" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("totals", "--by", "colour"), "--by colour: choose from tenant"),
        (("totals", "--from", "yesterday"), "--from yesterday: must be RFC 3339 text"),
        (("totals", "--to", "2026-13-01"), "--to 2026-13-01: month must be in 1..12"),
        (("totals", "--window", "1h", "--to", "2026-11-01"), "leave out --from and --to"),
        (("verify", "--from", "soon"), "--from soon"),
        (("explain", "nothing-of-this-name"), "no record has the event id"),
        (("explain", "e-4"), "it is in quarantine (held: missing_field), see `rice-stream quarantine show 1`"),
        (("quarantine", "show", "77"), "nothing in quarantine with the id 77"),
        (("quarantine", "replay"), "say which: ids, or --reason REASON, or --all"),
        (("quarantine", "drop", "1", "--all"), "say which"),
        (("quarantine", "drop", "77"), "not in quarantine: 77"),
        (("quarantine", "replay", "1", "--set", "tokens=3"), "--set tokens: there is no such field"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_with_exit_code_2(
    ledger: Shell, arguments: tuple[str, ...], said: str
) -> None:
    """On stderr, with what is allowed; stdout stays empty also with --json."""
    result = ledger.run(*arguments, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_verify_shows_every_difference_with_both_numbers(ledger: Shell) -> None:
    """Good news is one line; bad news is a table and exit code 1."""
    good = ledger.run("verify")
    assert good.stdout.startswith("ok: ")
    change(ledger, "UPDATE slot_total SET prompts = 41 WHERE prompts = 1")
    bad = ledger.run("verify")
    assert bad.exit_code == 1
    assert bad.stdout.startswith("DIFFERENT: ")
    rows = [line.split() for line in bad.stdout.splitlines() if line.startswith("slot_total")]
    assert rows
    assert all(row[-2:] == ["41", "1"] for row in rows)


def test_blank_lines_of_a_file_are_told_as_such_and_are_no_difference(shell: Shell) -> None:
    """They leave holes in the numbering that no event was lost in."""
    path = shell.write_events()
    path.write_text("\n\n".join(path.read_text().splitlines()))
    shell.run("migrate")
    assert shell.run("ingest", str(path)).exit_code == 0
    result = shell.run("verify")
    assert result.exit_code == 0
    assert "3 line(s) that hold nothing (blank)" in result.stderr


def test_explain_shows_the_steps_unrounded_and_ends_with_1_when_the_record_was_changed(ledger: Shell) -> None:
    """The stored integer is the last step; a record that its own factors contradict is bad news."""
    shown = ledger.run("explain", "e-1", "--tenant", "acme")
    assert shown.exit_code == 0
    steps = [line.split()[0] for line in shown.stdout.splitlines() if line.strip()]
    assert "carbon_high_ugco2e" in steps
    numbered = [word for word in steps if word.startswith("[")]
    assert numbered == [f"[{number}]" for number in range(1, len(numbered) + 1)], "each source once, below the steps"
    assert {"prefill_j", "pue", "rci_mid_gco2e_per_kwh"} <= set(steps)
    change(ledger, "UPDATE prompt_record SET carbon_high_ugco2e = carbon_high_ugco2e + 1 WHERE event_id = 'e-1'")
    changed = ledger.run("explain", "e-1")
    assert changed.exit_code == 1
    assert "it was changed after it was stored" in changed.stderr


def test_a_refused_item_is_replayed_with_what_was_missing(ledger: Shell) -> None:
    """Without the missing fields it stays held, exit code 1; with them it is recorded, and the books are right."""
    refused = ledger.json("quarantine", "replay", "--all", code=1)
    assert (refused["held"], refused["rows"][0]["reason"]) == (1, "missing_field")
    patches = ("--set", "ended_at=2026-11-22T12:00:00Z", "--set", "input_tokens=5", "--set", "request_model=gpt-4o")
    document = ledger.json("quarantine", "replay", "1", *patches)
    assert (document["replayed"], document["recorded"], document["rows"][0]["outcome"]) == (1, 1, "replayed")
    assert ledger.json("verify")["records"] == 4
    assert ledger.json("quarantine", "list", "--status", "replayed")["rows"][0]["id"] == 1
    assert "4" not in ledger.run("quarantine", "list").stdout


def test_every_report_command_shows_an_example(shell: Shell) -> None:
    """--help is enough to begin with."""
    commands = (
        "totals",
        "verify",
        "explain",
        "check",
        *(f"quarantine {name}" for name in ("list", "show", "replay", "drop")),
    )
    for command in commands:
        assert "Example: rice-stream" in shell.run(*command.split(), "--help").stdout


@pytest.mark.parametrize("command", [("totals",), ("bridge",), ("periods",)], ids=lambda command: command[0])
def test_an_empty_answer_about_a_tenant_that_there_is_not_says_so(ledger: Shell, command: tuple[str, ...]) -> None:
    """On stderr: the answer itself is as for one that has used nothing; of one that there is nothing is said."""
    unknown, known = (ledger.run(*command, "--tenant", tenant) for tenant in ("acmee", "acme"))
    assert (unknown.exit_code, known.exit_code) == (0, 0)
    assert "there is no tenant 'acmee', or nothing has come of it yet" in unknown.stderr
    assert "there is no tenant" not in known.stderr


def test_a_shared_name_that_stands_for_nothing_is_told(ledger: Shell) -> None:
    """A name that was mistyped would share nothing out, and not say so."""
    asked = ("totals", "--tenant", "acme", "--by", "team", "--allocate", "equal", "--shared")
    mistyped, right = ledger.run(*asked, "serach"), ledger.run(*asked, "search")
    assert (mistyped.exit_code, "--shared 'serach': nothing of this time is of it" in mistyped.stderr) == (0, True)
    assert "--shared" not in right.stderr


def test_sets_are_compared_by_what_differs(ledger: Shell) -> None:
    """What a row is known by once, and of what was and is only what is not the same."""
    for name, value in (("a", 10), ("b", 15)):
        row = {"region": "country:SE", "scope": "lifecycle", "value": value, "unit": "gCO2e/kWh"}
        head = {"kind": "rci", "name": name, "source": "Grid Co", "licence": "own", "published": "2026-11-01"}
        path = ledger.directory / f"{name}.yaml"
        path.write_text(json.dumps({**head, "rows": [row]}))
    a, b = (str(ledger.directory / f"{name}.yaml") for name in "ab")
    [line] = ledger.run("factors", "diff", a, b).stdout.splitlines()[1:]
    assert line.split() == [
        "changed",
        *("country:SE,", "lifecycle,", "average,", "location"),
        *("value", "10", "value", "15", "50"),
    ]
