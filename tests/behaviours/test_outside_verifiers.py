"""Proof files of a real trail are accepted by those who share no code with us, and changed ones are not."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.ledger.checkpoints import rotate_key
from rice_stream.reports.audit_proofs import audit_proof
from rice_stream.reports.checkpoints import checkpoints
from rice_stream.store.engine import open_engine
from rice_stream.store.scope import EVERYTHING
from rice_stream.transparency.proof_files import check_proof_file
from tests.support.audited import BOX, signed
from tests.support.databases import Databases
from tests.support.fakes import OPERATOR
from tests.support.outside_verifiers import by_go, by_script, go_program


@pytest.fixture
def trail(either_database: Databases) -> Engine:
    """Checkpoints of several sizes, two keys."""
    engine = open_engine(either_database.emptied())
    for entries in (4, 1, 8):
        signed(engine, entries)
    rotate_key(engine, BOX, origin=None, by=OPERATOR)
    signed(engine, 3)
    return engine


CHANGES: list[Callable[[Any], object]] = [
    lambda tree: tree["leaves"][0].update(leaf=tree["leaves"][0]["leaf"].replace("acme", "acne")),
    lambda tree: tree["leaves"][0].update(index=tree["leaves"][0]["index"] + 1),
    lambda tree: tree["leaves"][0]["proof"].pop(),
    lambda tree: tree["leaves"][0]["proof"].reverse(),
    lambda tree: tree["consistency"][0].pop(),
    lambda tree: tree["consistency"][0].insert(0, tree["leaves"][0]["proof"][0]),
    lambda tree: tree["checkpoints"].reverse(),
    lambda tree: tree["checkpoints"].__setitem__(0, tree["checkpoints"][0].replace("\n6\n", "\n7\n")),
]


def test_outside_verifiers_accept_what_we_prove_and_nothing_that_was_changed(trail: Engine, tmp_path: Path) -> None:
    """A script of Python's standard library always; Go's libraries for transparency logs where Go is, and in every drill."""
    program = go_program(tmp_path)
    file, kept = tmp_path / "proof.json", tmp_path / "kept.txt"
    notes = {row["size"]: row["note"] for row in checkpoints(trail, EVERYTHING)}
    kept.write_text(notes[6])
    for entry in (1, 6, max(notes)):
        document = audit_proof(trail, EVERYTHING, entry, since=6)
        keys = document["keys"]
        assert len(keys) == 2
        file.write_text(json.dumps(document))
        if entry > 1:
            assert by_script(file, keys, kept) == "1 leaves of 1 trees are proven\n"
        if program is not None:
            assert by_go(program, file, keys) == "1 leaves are proven\n"
    for number, change in enumerate(CHANGES):
        changed = copy.deepcopy(document)
        change(changed["trees"][0])
        assert check_proof_file(changed).problems, number
        file.write_text(json.dumps(changed))
        if number in (0, 4, 7):  # each of them takes a tenth of a second
            assert by_script(file, keys).startswith("NOT PROVEN: "), number
        if program is not None:
            assert by_go(program, file, keys).startswith("NOT PROVEN: "), number
    file.write_text(json.dumps(document))
    kept.write_text(notes[6].replace("\n6\n", "\n9\n"))
    assert "none of the keys has signed" in by_script(file, keys, kept)
    kept.write_text(f"{notes[14]}\n{notes[6]}\n")
    assert by_script(file, keys, kept) == "1 leaves of 1 trees are proven\n"
    kept.write_text("nothing")
    assert "there is no signed checkpoint in the file" in by_script(file, keys, kept)
    kept.write_text(notes[14])
    assert "no checkpoint that you have is in the file" in by_script(file, keys, kept)
    assert "none of the keys has signed" in by_script(file, keys[:1]) + by_script(file, keys[1:])
