"""Answers about checkpoints, and proof files."""

from typing import Literal

from rice_stream.api.document.shapes import Answer


class SignedCheckpoint(Answer):
    """A checkpoint; `note` is what was signed and published, `key` the public key of it."""

    id: int
    kind: Literal["audit", "month"]
    origin: str
    size: int
    root: str
    made_at: str
    key: str
    note: str


class LeafInFile(Answer):
    """A leaf and its proof."""

    leaf: str
    index: int
    checkpoint: int
    proof: list[str]


class TreeInFile(Answer):
    """Checkpoints of one tree, and leaves of it."""

    kind: Literal["audit", "month"]
    checkpoints: list[str]
    consistency: list[list[str]]
    leaves: list[LeafInFile]


class ProofFile(Answer):
    """A proof file, as docs/proofs.md describes it."""

    format: str
    keys: list[str]
    trees: list[TreeInFile]
