"""`close`, `periods` and `prove`: from a checklist that is not in order to a proof that an auditor checks without a database."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.audited import SECRETS_KEY
from tests.support.cli_running import Shell

ENDED = ("2026-09-30T23:59:59Z", "2026-10-01T08:00:00Z", "2026-10-15T08:00:00Z", "2026-11-02T08:00:00Z")
PROGRAM = Path(__file__).parents[3] / "docs" / "check_proof.py"


@pytest.fixture
def closing(shell: Shell) -> Shell:
    """A ledger with two prompts of October, of a model that nobody knows, and what encrypts keys."""
    assert shell.run("migrate").exit_code == 0
    counts = {"input_tokens": 1000, "output_tokens": 100, "request_model": "no-such-model", "tenant_id": "acme"}
    lines = [json.dumps({"event_id": f"e-{end[:10]}", "ended_at": end, **counts}) for end in ENDED]
    events = shell.directory / "october.jsonl"
    events.write_text("\n".join(lines))
    assert shell.run("ingest", str(events)).exit_code == 0
    shell.environment["RICE_SECRETS_KEY"] = SECRETS_KEY
    return shell


ACCEPTED = ("--accept", "unattributed", "--accept", "coverage", "--reason", "a trial month")
OCTOBER = ("close", "--tenant", "acme", "--month", "2026-10")


def test_a_month_is_closed_and_its_prompts_are_proven_to_an_auditor(closing: Shell) -> None:
    """The file is checked by our command and by the program that needs none of our code."""
    lines = {line["name"]: line for line in closing.json(*OCTOBER, "--dry-run", code=1)["checklist"]}
    assert [name for name, line in lines.items() if line["ok"] is False] == ["unattributed", "coverage"]
    assert [name for name, line in lines.items() if line["ok"] is None] == ["reconciliation"]
    shown = {line.split()[0]: line.split()[1] for line in closing.run(*OCTOBER, "--dry-run").stdout.splitlines()[1:]}
    assert (shown["totals"], shown["coverage"], shown["reconciliation"]) == ("ok", "NOT", "open")
    refused = closing.run(*OCTOBER)
    assert refused.exit_code == 2
    assert "unattributed: 100.0% of its carbon is charged to no team" in refused.stderr
    assert {row["state"] for row in closing.json("periods")["rows"]} == {"open"}
    soft = closing.json(*OCTOBER, "--soft", *ACCEPTED)
    assert (soft["state"], soft["records"], soft["checkpoint"]) == ("soft_closed", 2, None)
    published = closing.directory / "checkpoints.txt"
    closed = closing.json(*OCTOBER, RICE_CHECKPOINT_FILE=str(published))
    assert closed["checkpoint"] in published.read_text()
    assert (closed["state"], closed["root"]) == ("closed", soft["root"])
    assert closed["checklist"][2]["accepted"] == "a trial month"
    rows = closing.json("periods", "--tenant", "acme")["rows"]
    assert [(row["month"], row["state"]) for row in rows] == [
        ("2026-11", "open"),
        ("2026-10", "closed"),
        ("2026-09", "open"),
    ]
    assert rows[1] == closed
    proof, kept = closing.directory / "proof.json", closing.directory / "closed.txt"
    kept.write_text(closed["checkpoint"])
    document = closing.json("prove", "e-2026-10-15", "--out", str(proof))
    assert document["period"] == {"tenant_id": "acme", "month": "2026-10", "records": 2}
    assert "acme" not in "".join(leaf["leaf"] for leaf in document["trees"][0]["leaves"])
    [key] = [each["key"] for each in closing.json("audit", "keys")["keys"]]
    checked = closing.json("audit", "check", str(proof), "--key", key, "--checkpoint", str(published))
    assert checked == {"ok": True, "entries": 0, "months": 1, "problems": []}
    run = subprocess.run(
        [sys.executable, str(PROGRAM), str(proof), key, str(kept)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert closing.json("audit", "verify")["ok"]
    assert closing.json("verify")["ok"]


def test_what_is_not_signed_cannot_be_proven(closing: Shell) -> None:
    """Of an open month, one that was closed softly, and what came late; each is told why."""
    for event_id, why in (("e-2026-11-02", "its month is not closed yet"), ("e-2026-10-15", "is not signed yet")):
        assert closing.run(*OCTOBER, "--soft", *ACCEPTED).exit_code == 0
        assert why in closing.run("prove", event_id).stderr
    late = {
        "event_id": "late",
        "ended_at": "2026-10-20T00:00:00Z",
        "input_tokens": 5,
        "output_tokens": 5,
        "tenant_id": "acme",
    }
    (closing.directory / "late.jsonl").write_text(json.dumps({**late, "request_model": "gpt-4o"}))
    assert closing.run("ingest", "late.jsonl").exit_code == 0
    assert closing.run(*OCTOBER).exit_code == 0
    assert "it came after 2026-10 of acme was closed" in closing.run("prove", "late").stderr
    assert closing.run("void", "e-2026-10-15", "--reason", "a test").exit_code == 0
    later = closing.json("prove", "e-2026-10-15")["later_entries"]
    assert [(entry["cause"], entry["reason"]) for entry in later] == [("void", "a test")]
    shown = closing.run("periods").stdout
    assert "closed" in shown
