"""Trees of which blocks are kept: what a proof costs, and what is refused. What they prove is in tests/properties."""

import pytest

from rice_stream.transparency.inclusion import check_inclusion
from rice_stream.transparency.kept_trees import BLOCK_LEAVES, GrowingTree, KeptTree
from rice_stream.transparency.merkle import HASH_BYTES, leaf_hash


def test_a_proof_asks_for_the_leaves_of_two_blocks_once() -> None:
    """The leaf's own block and the one that is not full, of however many blocks."""
    size = 5 * BLOCK_LEAVES + 3
    hashes = [leaf_hash(b"%d" % number) for number in range(size)]
    grown = GrowingTree()
    grown.add(iter(hashes))
    asked: list[tuple[int, int]] = []

    def leaf_hashes(start: int, end: int) -> list[bytes]:
        asked.append((start, end))
        return hashes[start:end]

    tree = KeptTree(size, grown.blocks, leaf_hashes)
    check_inclusion(2000, size, hashes[2000], tree.inclusion(2000), grown.root())
    assert sorted(asked) == [(BLOCK_LEAVES, 2 * BLOCK_LEAVES), (5 * BLOCK_LEAVES, size)]
    assert len(grown.blocks) == 5 * HASH_BYTES


def test_what_is_missing_is_said() -> None:
    """Blocks, leaves, and what was kept of another tree."""
    with pytest.raises(ValueError, match="some are missing"):
        KeptTree(2 * BLOCK_LEAVES, bytes(HASH_BYTES), lambda _start, _end: [])
    with pytest.raises(ValueError, match="of the leaves 0 to 2 some are missing"):
        KeptTree(3, b"", lambda _start, _end: [bytes(32)]).root()
    with pytest.raises(ValueError, match="not what is kept"):
        GrowingTree.going_on(5, bytes(32))
