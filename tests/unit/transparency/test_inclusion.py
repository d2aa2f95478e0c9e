"""Proofs: those that are published, and what has another form."""

import pytest

from rice_stream.transparency.inclusion import (
    ProofError,
    check_consistency,
    check_inclusion,
    consistency_ranges,
    inclusion_ranges,
)
from rice_stream.transparency.kept_trees import KeptTree
from rice_stream.transparency.merkle import leaf_hash
from tests.unit.transparency.vectors import CONSISTENCY, INCLUSION, LEAVES, ROOTS

HASHES = [leaf_hash(leaf) for leaf in LEAVES]


def tree(size: int) -> KeptTree:
    return KeptTree(size, b"", lambda start, end: HASHES[start:end])


@pytest.mark.parametrize(("index", "size", "proof"), INCLUSION)
def test_published_proofs_of_inclusion_are_made_and_accepted(index: int, size: int, proof: list[bytes]) -> None:
    """The same hashes in the same order."""
    assert tree(size).inclusion(index) == proof
    check_inclusion(index, size, HASHES[index], proof, ROOTS[size])


@pytest.mark.parametrize(("first", "second", "proof"), CONSISTENCY)
def test_published_proofs_of_consistency_are_made_and_accepted(first: int, second: int, proof: list[bytes]) -> None:
    """The same hashes in the same order."""
    assert tree(second).consistency(first) == proof
    check_consistency(first, second, ROOTS[first], ROOTS[second], proof)


def test_what_is_not_there_is_not_proven() -> None:
    """Leaves after the last one, trees that grew smaller, hashes of another length."""
    with pytest.raises(ValueError, match="a tree of 8 leaves has no leaf number 8"):
        inclusion_ranges(8, 8)
    with pytest.raises(ValueError, match="has no leaf number -1"):
        inclusion_ranges(-1, 8)
    with pytest.raises(ValueError, match="a tree of 8 leaves is no beginning of one of 7"):
        consistency_ranges(8, 7)
    with pytest.raises(ProofError, match="has no leaf number 8"):
        check_inclusion(8, 8, HASHES[0], [], ROOTS[8])
    with pytest.raises(ProofError, match="no beginning"):
        check_consistency(8, 7, ROOTS[8], ROOTS[7], [])
    with pytest.raises(ProofError, match="too short"):
        check_consistency(6, 8, ROOTS[6], ROOTS[8], [])
    with pytest.raises(ProofError, match="different roots"):
        check_consistency(8, 8, ROOTS[8], ROOTS[7], [])
    with pytest.raises(ProofError, match="no hash of 32 bytes"):
        check_inclusion(0, 2, HASHES[0], [b"short"], ROOTS[2])
