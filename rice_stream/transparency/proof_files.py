"""Proof files: what somebody outside needs to check that entries and records are in trees whose checkpoints are signed.

docs/proofs.md describes the format, which is JSON. A file is checked without a database, and everything in it that is wrong
is said: `docs/check_proof.py` does the same without any of our code.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rice_stream.transparency.checkpoints import Checkpoint
from rice_stream.transparency.inclusion import ProofError, check_consistency, check_inclusion
from rice_stream.transparency.merkle import leaf_hash
from rice_stream.transparency.notes import NoteError, NoteKey, SignedNote

FORMAT = "rice-stream-proof/1"
TreeKind = Literal["audit", "month"]


@dataclass(frozen=True, slots=True)
class ProvenLeaf:
    """A leaf, its number in the tree, and the proof that the checkpoint of that number in the file covers it."""

    leaf: bytes
    index: int
    checkpoint: int
    proof: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class ProvenTree:
    """Signed checkpoints of one tree, smaller first, proofs that each is the beginning of the next, and leaves."""

    kind: TreeKind
    checkpoints: Sequence[str]
    consistency: Sequence[Sequence[bytes]]
    leaves: Sequence[ProvenLeaf]


def proof_file(keys: Sequence[NoteKey], trees: Sequence[ProvenTree]) -> dict[str, Any]:
    """The content of a proof file, as JSON."""
    return {"format": FORMAT, "keys": [str(key) for key in keys], "trees": [_written(tree) for tree in trees]}


@dataclass(slots=True)
class CheckedFile:
    """What a check has found: how many entries of the audit trail and how many trees of months hold, and what does not."""

    entries: int = 0
    months: int = 0
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The answer of `rice-stream audit check`."""
        return {"ok": not self.problems, "entries": self.entries, "months": self.months, "problems": self.problems}


def check_proof_file(
    content: Any, *, keys: Sequence[NoteKey] = (), published: Sequence[str] | None = None
) -> CheckedFile:
    """Check everything that a proof file holds; never raises for what is wrong in it.

    `keys`: whose signatures count; without any, those that the file names itself. `published`: signed checkpoints that were
    got from somewhere else, such as a mail of then; each tree has to hold one of them, and none may contradict it.
    """
    checked = CheckedFile()
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        checked.problems.append(f'it is no proof file: a JSON object whose "format" is "{FORMAT}"')
        return checked
    try:
        known = list(keys) or [NoteKey.parse(text) for text in _list(content, "keys")]
        trees = _list(content, "trees")
        outside = None if published is None else [_signed_checkpoint(text, known) for text in published]
    except (NoteError, ProofError) as error:
        checked.problems.append(str(error))
        return checked
    if not trees:
        checked.problems.append("it proves nothing: it holds no tree")
    for number, tree in enumerate(trees):
        problems = list(_tree_problems(tree, known, outside, checked))
        checked.problems += [f"trees[{number}]: {problem}" for problem in problems]
        if not problems and tree["kind"] == "month":
            checked.months += 1
    return checked


def _tree_problems(
    tree: Any, keys: Sequence[NoteKey], published: Sequence[Checkpoint] | None, checked: CheckedFile
) -> Iterator[str]:
    if not isinstance(tree, Mapping) or tree.get("kind") not in ("audit", "month"):
        yield 'a tree is an object whose "kind" is "audit" or "month"'
        return
    try:
        signed = [_signed_checkpoint(text, keys) for text in _list(tree, "checkpoints")]
        _check_origins(tree["kind"], signed, keys)
        consistency = [_decoded_proof(each) for each in _list(tree, "consistency")]
        leaves = _list(tree, "leaves")
        if not signed or len(consistency) != len(signed) - 1:
            raise ProofError("it has at least one checkpoint, and a proof of consistency between each and the next")
        for before, after, proof in zip(signed, signed[1:], consistency, strict=False):
            check_consistency(before.size, after.size, before.root, after.root, proof)
        if published is not None:
            _check_published(signed, published)
    except (NoteError, ProofError) as error:
        yield str(error)
        return
    for number, leaf in enumerate(leaves):
        try:
            _check_leaf(tree["kind"], leaf, signed)
        except ProofError as error:
            yield f"leaves[{number}]: {error}"
        else:
            checked.entries += tree["kind"] == "audit"


def _check_leaf(kind: TreeKind, found: Any, signed: Sequence[Checkpoint]) -> None:
    if not isinstance(found, Mapping) or not isinstance(leaf := found.get("leaf"), str):
        raise ProofError('a leaf is an object with "leaf" (text), "index", "checkpoint" and "proof"')
    index, which = found.get("index"), found.get("checkpoint")
    if type(index) is not int or type(which) is not int or not 0 <= which < len(signed):
        raise ProofError('"index" and "checkpoint" are whole numbers, the second that of a checkpoint of the tree')
    proof = _decoded_proof(found.get("proof"))
    try:
        hashed = leaf_hash(leaf.encode())
    except UnicodeEncodeError as error:
        raise ProofError('"leaf" cannot be written as UTF-8') from error
    check_inclusion(index, signed[which].size, hashed, proof, signed[which].root)
    if kind == "audit" and _id_of(leaf) != index + 1:
        raise ProofError(
            f"the entry at place {index} of the trail has the number {_id_of(leaf)} instead of {index + 1}"
        )


def _id_of(leaf: str) -> Any:
    try:
        entry = json.loads(leaf)
    except ValueError:
        return None
    return entry.get("id") if isinstance(entry, dict) else None


def _signed_checkpoint(written: Any, keys: Sequence[NoteKey]) -> Checkpoint:
    if not isinstance(written, str):
        raise NoteError("a checkpoint is the text of a signed note")
    note = SignedNote.parse(written)
    note.signers(keys)
    return Checkpoint.parse(note.text)


def _check_origins(kind: TreeKind, signed: Sequence[Checkpoint], keys: Sequence[NoteKey]) -> None:
    """A checkpoint of a month must not pass for one of the trail, nor one installation's for another's."""
    origins = {each.origin for each in signed}
    if len(origins) > 1:
        raise ProofError(f"its checkpoints are of several trees: {', '.join(sorted(origins))}")
    for origin in origins:
        names = {key.name for key in keys}
        fits = origin in names if kind == "audit" else any(origin.startswith(f"{name}/month/") for name in names)
        if not fits:
            raise ProofError(f"its checkpoints are of {origin}, which is no {kind} tree of {', '.join(sorted(names))}")


def _check_published(signed: Sequence[Checkpoint], published: Sequence[Checkpoint]) -> None:
    roots = {each.size: each.root for each in signed}
    same = [each for each in published if each.origin == signed[0].origin and each.size in roots]
    for each in same:
        if each.root != roots[each.size]:
            raise ProofError(
                f"the checkpoint of {each.size} leaves is not the one that was published: there are two histories"
            )
    if not same:
        sizes = sorted({each.size for each in published if each.origin == signed[0].origin})
        raise ProofError(
            f"none of its checkpoints ({', '.join(map(str, roots))} leaves) is among those published"
            f" ({', '.join(map(str, sizes[-10:])) or 'none'} leaves): ask for a proof from one of these on"
        )


def _list(content: Mapping[str, Any], name: str) -> list[Any]:
    found = content.get(name)
    if not isinstance(found, list):
        raise ProofError(f'"{name}" is missing, or no list')
    return found


def _decoded_proof(found: Any) -> list[bytes]:
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ProofError("a proof is a list of hashes in base64")
    try:
        return [base64.b64decode(each, validate=True) for each in found]
    except (binascii.Error, ValueError) as error:
        raise ProofError("a proof is a list of hashes in base64") from error


def _written(tree: ProvenTree) -> dict[str, Any]:
    leaves = [
        {"leaf": each.leaf.decode(), "index": each.index, "checkpoint": each.checkpoint, "proof": _encoded(each.proof)}
        for each in tree.leaves
    ]
    consistency = [_encoded(each) for each in tree.consistency]
    return {"kind": tree.kind, "checkpoints": list(tree.checkpoints), "consistency": consistency, "leaves": leaves}


def _encoded(proof: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(each).decode() for each in proof]
