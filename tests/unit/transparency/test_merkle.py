"""Roots: those that are published, and what is refused."""

import pytest

from rice_stream.transparency.merkle import Frontier, complete_root, leaf_hash, split_hashes
from tests.unit.transparency.vectors import LEAVES, ROOTS


def test_roots_of_the_published_leaves_are_the_published_ones() -> None:
    """Of none up to eight leaves, each going on from what was kept of the one before."""
    frontier = Frontier()
    assert frontier.root() == ROOTS[0]
    for size, leaf in enumerate(LEAVES, start=1):
        frontier = Frontier.from_bytes(frontier.size, frontier.to_bytes())
        frontier.append(leaf_hash(leaf))
        assert (frontier.size, frontier.root()) == (size, ROOTS[size])
    assert complete_root([leaf_hash(leaf) for leaf in LEAVES]) == ROOTS[8]


def test_a_frontier_takes_whole_subtrees_where_they_follow() -> None:
    """Two leaves after four, and not after five."""
    frontier = Frontier()
    frontier.append(ROOTS[4], 2)
    frontier.append(complete_root([leaf_hash(leaf) for leaf in LEAVES[4:6]]), 1)
    assert frontier.root() == ROOTS[6]
    frontier.append(leaf_hash(LEAVES[6]))
    with pytest.raises(ValueError, match="do not follow after 7"):
        frontier.append(bytes(32), 1)


def test_what_was_not_kept_of_such_a_tree_is_refused() -> None:
    """A number of hashes that does not belong to the size."""
    with pytest.raises(ValueError, match="64 bytes are not what is kept of a tree of 4 leaves"):
        Frontier.from_bytes(4, bytes(64))
    with pytest.raises(ValueError, match="power of two"):
        complete_root([bytes(32)] * 3)
    with pytest.raises(ValueError, match="33 bytes"):
        split_hashes(bytes(33))
