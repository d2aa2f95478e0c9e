"""`export`: a file with its manifest, made again from the command line, and what is said where it is not the same."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.cli_running import MONTH, Shell


def test_a_file_is_made_and_made_again(ledger: Shell) -> None:
    """The answer names the file, its digests and its manifest; a second time the bytes are the same, and a change is told."""
    out, again = ledger.directory / "month.csv", ledger.directory / "again.csv"
    asked = ("export", "chargeback", "--tenant", "acme", "--month", MONTH, "--by", "team,user", "--out", str(out))
    document = ledger.json(*asked)
    assert document["rows"] == 2
    assert list(document) == ["file", "rows", "sha256", "content_sha256", "manifest"]
    made = ledger.json("export", "--manifest", document["manifest"], "--out", str(again))
    assert (made["same_bytes"], made["same_content"], made["differs"]) == (True, True, [])
    assert again.read_bytes() == out.read_bytes()
    manifest = json.loads((ledger.directory / "month.csv.manifest.json").read_text())
    changed = ledger.directory / "changed.json"
    changed.write_text(json.dumps({**manifest, "content_sha256": "0" * 64}))
    other = ledger.json("export", "--manifest", str(changed), "--out", str(again), code=1)
    assert [one["what"] for one in other["differs"]] == ["content_sha256"]
    shown = ledger.run("export", "--manifest", str(changed), "--out", str(again)).stdout
    assert ["same", "content", "no"] in [line.split() for line in shown.splitlines()]


def test_the_ending_of_the_file_says_its_form(ledger: Shell) -> None:
    """Where nothing else does: nobody finds CSV under the name of a workbook. What is said otherwise holds."""
    asked = ("export", "chargeback", "--tenant", "acme", "--month", MONTH)
    for name, more, begins in (
        ("a.xlsx", (), b"PK"),
        ("a.PARQUET", (), b"PAR1"),
        ("a.txt", (), b"tenant_id,"),
        ("b.xlsx", ("--format", "csv"), b"tenant_id,"),
    ):
        out = ledger.directory / name
        ledger.json(*asked, *more, "--out", str(out))
        assert out.read_bytes().startswith(begins), name


def test_what_does_not_go_together_is_refused(ledger: Shell) -> None:
    """Exit 2, with the option to put right."""
    out = str(ledger.directory / "x")
    whose = ("--tenant", "acme", "--month", MONTH)
    broken = ledger.directory / "broken.json"
    broken.write_text("[]")
    for arguments, words in (
        (("export", "--out", out), "say KIND, --tenant and --month"),
        (("export", "chargeback", *whose, "--format", "pdf", "--out", out), "chargeback is made as csv"),
        (("export", "chargeback", *whose, "--out", "month.pdf"), "--format pdf: chargeback is made as csv"),
        (("export", "chargeback", *whose, "--by", "colour", "--out", out), "--by colour: choose from team"),
        (("export", "chargeback", *whose, "--carbon-price-per-tonne", "5", "--out", out), "give both, or neither"),
        (
            ("export", "chargeback", *whose, "--carbon-price-per-tonne", "x", "--currency", "EUR", "--out", out),
            "must be a number",
        ),
        (("export", "nothing", *whose, "--out", out), "there is no export 'nothing'"),
        (("export", "--manifest", str(broken), "--out", out), "no manifest of an export"),
        (("export", "chargeback", *whose, "--manifest", str(broken), "--out", out), "--manifest says it all"),
    ):
        result = ledger.run(*arguments)
        assert result.exit_code == 2, arguments
        assert words in result.stderr, result.stderr


def test_tokens_are_reconciled_and_too_much_that_is_unexplained_is_bad_news(ledger: Shell) -> None:
    """Two prompts of 1,100 tokens each; the ledger's events name no provider, so it is said."""
    usage = ledger.directory / "usage.json"
    start = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}T00:00:00Z"
    end = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}T00:00:00Z"
    bucket = {
        "start_time_iso": start,
        "end_time_iso": end,
        "model": "gpt-4o",
        "input_tokens": 2000,
        "output_tokens": 200,
    }
    usage.write_text(json.dumps(bucket))
    asked = ("reconcile", str(usage), "--provider", "openai", "--tenant", "acme", "--month", MONTH, "--name", "")
    document = ledger.json(*asked)
    assert (document["tokens"]["ours"], document["tokens"]["theirs"], document["unexplained"]) == (2200, 2200, 0)
    usage.write_text(json.dumps({**bucket, "output_tokens": 300}))
    assert ledger.json(*asked, code=1)["unexplained"] == 100
    assert "4.35 % unexplained (bad from 1 %)" in ledger.run(*asked).stdout
    assert ledger.json(*asked, "--threshold-percent", "5")["ok"]
    usage.write_text(json.dumps(bucket))
    assert ledger.json(*asked, "--threshold-percent", "0")["ok"], "nothing is unexplained"
    assert ledger.run("reconcile", str(usage), "--provider", "x", "--tenant", "acme", "--month", MONTH).exit_code == 2
    figure = ("reconcile", *asked[2:], "--carbon-gco2e", "1")
    for wrong in (
        (*asked, "--market"),
        (*asked, "--embodied"),
        (*asked, "--service", "x"),
        (*figure, "--service", "x"),
    ):
        refused = ledger.run(*wrong)
        assert (refused.exit_code, "--measure carbon" in refused.stderr) == (2, True), refused.stderr


_KILLED = """
import os, signal, sys
from pathlib import Path
from rice_stream.reports.exports import making
from rice_stream.cli import main

def die(path):
    assert path.stat().st_size > 0
    os.kill(os.getpid(), signal.SIGKILL)

making._digest = die
sys.argv[1:] = ["export", "chargeback", "--tenant", "acme", "--month", sys.argv[1], "--out", "month.csv"]
main()
"""


def test_a_process_that_is_killed_leaves_the_file_of_before(ledger: Shell) -> None:
    """With kill -9 when the new one is written and not yet in its place; the next run makes it whole, and takes away what the
    other one had begun."""
    out = ledger.directory / "month.csv"
    asked = ("export", "chargeback", "--tenant", "acme", "--month", MONTH, "--out", str(out))
    out.write_text("of before")
    environment = {**os.environ, **{name: value for name, value in ledger.environment.items() if value is not None}}
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, MONTH], cwd=ledger.directory, env=environment, check=False, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert out.read_text() == "of before"
    assert not (ledger.directory / "month.csv.manifest.json").exists()
    assert len(left_in(ledger.directory)) == 1
    assert ledger.json(*asked)["rows"] == 1
    assert out.read_text().startswith("tenant_id,")
    assert left_in(ledger.directory) == []


def left_in(folder: Path) -> list[Path]:
    """What exports have begun there, and not finished."""
    return list(folder.glob(".rice-export.*"))
