"""Proof files: what holds in them, and that every change is found and said where."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from rice_stream.transparency.checkpoints import Checkpoint
from rice_stream.transparency.kept_trees import KeptTree
from rice_stream.transparency.merkle import leaf_hash
from rice_stream.transparency.notes import NoteKey, signed
from rice_stream.transparency.proof_files import ProvenLeaf, ProvenTree, TreeKind, check_proof_file, proof_file

SEED = bytes(range(32))
ORIGIN = "rice.example"
KEY = NoteKey.of_seed(ORIGIN, SEED)
ENTRIES = [f'{{"id":{number + 1}}}'.encode() for number in range(7)]
RECORDS = [f'{{"event_key":"{number}"}}'.encode() for number in range(5)]


def tree_of(leaves: list[bytes], size: int) -> KeptTree:
    hashes = [leaf_hash(leaf) for leaf in leaves]
    return KeptTree(size, b"", lambda start, end: hashes[start:end])


def note(leaves: list[bytes], size: int, origin: str = ORIGIN, seed: bytes = SEED) -> str:
    return str(signed(str(Checkpoint(origin, size, tree_of(leaves, size).root())), ORIGIN, seed))


def proven(kind: TreeKind, leaves: list[bytes], origin: str) -> ProvenTree:
    """Two checkpoints, and leaf 1 in both."""
    sizes = (3, len(leaves))
    trees = [tree_of(leaves, size) for size in sizes]
    found = [ProvenLeaf(leaves[1], 1, number, tree.inclusion(1)) for number, tree in enumerate(trees)]
    return ProvenTree(kind, [note(leaves, size, origin) for size in sizes], [trees[1].consistency(3)], found)


@pytest.fixture
def content() -> Any:
    """A file that holds, as it is read."""
    trees = [proven("audit", ENTRIES, ORIGIN), proven("month", RECORDS, f"{ORIGIN}/month/1/2026-10")]
    return json.loads(json.dumps(proof_file([KEY], trees)))


def test_a_file_that_holds_is_counted(content: Any) -> None:
    """Entries of the trail, and trees of months; against its own key, a given one, and a published checkpoint."""
    for keys, published in (
        ([], None),
        ([KEY], None),
        ([KEY], [note(ENTRIES, 3), note(RECORDS, 5, f"{ORIGIN}/month/1/2026-10")]),
    ):
        checked = check_proof_file(content, keys=keys, published=published)
        assert checked.as_json() == {"ok": True, "entries": 2, "months": 1, "problems": []}


CHANGES: list[tuple[str, Callable[[Any], object]]] = [
    ("no proof file", lambda file: file.update(format="rice-stream-proof/2")),
    ('"keys" is missing', lambda file: file.pop("keys")),
    ("its hash is", lambda file: file["keys"].append(file["keys"][0].replace("+", "x+", 1))),
    ("holds no tree", lambda file: file["trees"].clear()),
    ('trees[1]: a tree is an object whose "kind"', lambda file: file["trees"][1].update(kind="day")),
    (
        "trees[0]: its checkpoints are of rice.example, which is no month",
        lambda file: file["trees"][0].update(kind="month"),
    ),
    ("trees[1]: its checkpoints are of rice.example/month/1", lambda file: file["trees"][1].update(kind="audit")),
    (
        "trees[0]: the signature of rice.example",
        lambda file: _set(file, "checkpoints", 1, note(ENTRIES, 7).replace("7", "8", 1)),
    ),
    (
        "trees[0]: it is signed by rice.example",
        lambda file: _set(file, "checkpoints", 1, note(ENTRIES, 7, seed=bytes(32))),
    ),
    ("trees[0]: the later root is not", lambda file: _set(file, "checkpoints", 1, note(ENTRIES[::-1], 7))),
    ("trees[0]: the earlier root is not", lambda file: _set(file, "checkpoints", 0, note(ENTRIES[::-1], 3))),
    (
        "trees[0]: its checkpoints are of several",
        lambda file: _set(file, "checkpoints", 1, note(ENTRIES, 7, "rice.example/2")),
    ),
    ("trees[0]: a proof is a list of hashes", lambda file: _set(file, "consistency", 0, ["*"])),
    ("trees[0]: it has at least one checkpoint", lambda file: file["trees"][0]["consistency"].clear()),
    ("trees[0]: leaves[1]: leaf 1 with this content is not", lambda file: _leaf(file, leaf='{"id":3}')),
    ("trees[0]: leaves[1]: leaf 2 with this content is not", lambda file: _leaf(file, index=2)),
    ("trees[0]: leaves[1]: the proof of inclusion is too", lambda file: _leaf(file, checkpoint=0)),
    ("trees[0]: leaves[1]: a proof is a list of hashes", lambda file: _leaf(file, proof=None)),
    ('trees[0]: leaves[1]: "index" and "checkpoint" are', lambda file: _leaf(file, index=True)),
    ('trees[0]: leaves[1]: a leaf is an object with "leaf"', lambda file: _leaf(file, leaf=None)),
    ('trees[0]: leaves[1]: "leaf" cannot be written', lambda file: _leaf(file, leaf="\ud800")),
]


def _set(file: Any, name: str, place: int, value: object) -> None:
    file["trees"][0][name][place] = value


def _leaf(file: Any, **changed: object) -> None:
    file["trees"][0]["leaves"][1].update(changed)


@pytest.mark.parametrize(("problem", "change"), CHANGES)
def test_whatever_was_changed_is_found_where_it_is(content: Any, problem: str, change: Callable[[Any], object]) -> None:
    """One problem for one change, and the rest of the file is counted as before."""
    changed = copy.deepcopy(content)
    change(changed)
    checked = check_proof_file(changed)
    assert len(checked.problems) == 1
    assert checked.problems[0].startswith(problem) or problem in checked.problems[0]


def test_an_entry_in_anothers_place_is_found() -> None:
    """The trail has no gaps: entry 5 is leaf 4, even where whoever signs has put it elsewhere."""
    moved = [*ENTRIES[:2], ENTRIES[4]]
    tree = ProvenTree("audit", [note(moved, 3)], [], [ProvenLeaf(moved[2], 2, 0, tree_of(moved, 3).inclusion(2))])
    assert check_proof_file(proof_file([KEY], [tree])).problems == [
        "trees[0]: leaves[0]: the entry at place 2 of the trail has the number 5 instead of 3"
    ]


def test_a_second_history_does_not_pass_beside_a_published_checkpoint(content: Any) -> None:
    """Though everything in the file fits together, and is signed; and a published one of another size says what to ask for."""
    del content["trees"][1]
    other = note(ENTRIES[::-1], 3)
    assert check_proof_file(content, published=[other]).problems == [
        "trees[0]: the checkpoint of 3 leaves is not the one that was published: there are two histories"
    ]
    [problem] = check_proof_file(content, published=[note(ENTRIES, 5)]).problems
    assert "(3, 7 leaves) is among those published (5 leaves): ask for a proof from one of these on" in problem
    [problem] = check_proof_file(content, published=[note(ENTRIES, 3, seed=bytes(32))]).problems
    assert "by none of the known keys" in problem
    assert check_proof_file(content, keys=[NoteKey.of_seed(ORIGIN, bytes(32))]).entries == 0
