"""`rice-stream audit`: checkpoints, keys, proofs and what is wrong with them, as printed and as exit codes."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.support.audited import SECRETS_KEY
from tests.support.cli_running import Shell


@pytest.fixture
def audited(shell: Shell) -> Shell:
    """A trail with an entry, and what encrypts keys."""
    assert shell.run("migrate").exit_code == 0
    shell.environment["RICE_SECRETS_KEY"] = SECRETS_KEY
    return shell


def document(result: Result, exit_code: int = 0) -> Any:
    assert result.exit_code == exit_code, result.stderr
    return json.loads(result.stdout)


def test_from_a_checkpoint_to_a_proof_that_is_checked_without_a_database(audited: Shell, tmp_path: Path) -> None:
    """Published to a file; the proof is checked by the key and the checkpoint that somebody kept."""
    published, proof = tmp_path / "checkpoints.txt", tmp_path / "proof.json"
    made = document(audited.run("audit", "checkpoint", "--json", RICE_CHECKPOINT_FILE=str(published)))
    assert (made["made"], made["published"], made["checkpoint"]["size"]) == (True, 1, 2)
    assert published.read_text() == f"{made['checkpoint']['note']}\n"
    again = audited.run("audit", "checkpoint")
    assert again.stdout.startswith("Nothing was added since checkpoint 1:\n\nrice-stream/")
    [key] = document(audited.run("audit", "keys", "--json"))["keys"]
    assert (key["key"], key["retired_at"]) == (made["checkpoint"]["key"], None)
    assert [row["id"] for row in document(audited.run("audit", "checkpoints", "--json"))["rows"]] == [1]
    assert audited.run("audit", "prove", "1", "--out", str(proof)).stdout.endswith("entry 1 is proven\n")
    assert document(audited.run("audit", "prove", "1", "--json")) == json.loads(proof.read_text())
    (tmp_path / "rice.db").unlink(missing_ok=True)
    checked = audited.run("audit", "check", str(proof), "--key", key["key"], "--checkpoint", str(published), "--json")
    assert document(checked) == {"ok": True, "entries": 1, "months": 0, "problems": []}
    assert checked.stderr == ""
    by_itself = audited.run("audit", "check", str(proof))
    assert by_itself.stdout == "1 entries and 0 months are proven.\n"
    assert "the key that the file names itself" in by_itself.stderr
    proof.write_text(proof.read_text().replace('"index": 0', '"index": 1'))
    wrong = audited.run("audit", "check", str(proof), "--key", key["key"])
    assert wrong.exit_code == 1
    assert wrong.stdout.startswith("PROBLEM trees[0]: leaves[0]: ")


def test_what_was_changed_is_said_with_exit_code_1(audited: Shell) -> None:
    """Which entry, which checkpoint; without a change all holds, also after the key was changed."""
    assert audited.run("audit", "checkpoint").exit_code == 0
    rotated = document(audited.run("audit", "keys", "--rotate", "--json"))
    assert rotated["checkpoint"]["note"].count("\u2014") == 2
    assert audited.run("audit", "verify").stdout == "3 entries, 2 checkpoints and 0 signed months hold.\n"
    with closing(sqlite3.connect(audited.directory / "rice.db")) as connection:
        connection.execute("DROP TRIGGER audit_entry_keeps_values")
        connection.execute("UPDATE audit_entry SET actor_name = 'nobody' WHERE id = 2")
        connection.commit()
    found = document(audited.run("audit", "verify", "--json"), 1)
    assert found["problems"] == ["entry 2: its columns say otherwise than its canonical bytes"]
    shown = audited.run("audit", "verify")
    assert shown.stdout.endswith("bytes\n3 entries, 2 checkpoints and 0 signed months do not hold.\n")


def test_without_a_key_of_secrets_nothing_is_signed(shell: Shell) -> None:
    """It is said what to set; with an empty trail there is nothing to sign."""
    assert shell.run("migrate").exit_code == 0
    refused = shell.run("audit", "checkpoint")
    assert refused.exit_code == 2
    assert "RICE_SECRETS_KEY: is not set, and the key that signs checkpoints is only stored encrypted" in refused.stderr
    assert shell.run("audit", "prove", "1").exit_code == 2
    assert shell.run("audit", "verify").stdout == "1 entries, 0 checkpoints and 0 signed months hold.\n"


def test_a_place_that_is_away_is_said_with_exit_code_1(audited: Shell, tmp_path: Path) -> None:
    """The checkpoint is made all the same."""
    result = audited.run("audit", "checkpoint", RICE_CHECKPOINT_FILE=str(tmp_path / "no" / "folder.txt"))
    assert result.exit_code == 1
    assert "Not published to file: RICE_CHECKPOINT_FILE: cannot write" in result.stdout


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("{", (), "it is no JSON"),
        ("[" * 100_000, (), "it is no JSON"),
        ("{}", ("--key", "no+key"), "--key: 'no+key' is no public key"),
        (
            "{}",
            ("--key", "/no/such/file"),
            "--key: '/no/such/file' is no public key (NAME+HASH+BASE64), and there is no such file",
        ),
        ("{}", ("--checkpoint", "FILE"), "there is no signed checkpoint in"),
    ],
)
def test_input_of_another_kind_is_wrong_usage(
    shell: Shell, tmp_path: Path, content: str, options: tuple[str, ...], said: str
) -> None:
    """Exit code 2, and no traceback; without a database, which is not asked."""
    file, empty = tmp_path / "proof.json", tmp_path / "empty.txt"
    file.write_text(content)
    empty.write_text("")
    given = [str(empty) if option == "FILE" else option for option in options]
    result = shell.run("audit", "check", str(file), *given, RICE_DATABASE_URL="sqlite:////nowhere/at/all.db")
    assert result.exit_code == 2
    assert said in result.stderr
