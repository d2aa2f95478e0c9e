"""Trees of which one hash is kept for each block of leaves: small to keep, and enough to prove any of its leaves quickly.

Of ten million leaves 312 KB are kept. A proof then takes the hashes of two blocks of leaves, and ten thousand nodes, once each.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from rice_stream.transparency.inclusion import LeafRange, consistency_ranges, inclusion_ranges
from rice_stream.transparency.merkle import HASH_BYTES, Frontier, complete_root, parents, split_hashes

BLOCK_LEVEL = 10
BLOCK_LEAVES = 1 << BLOCK_LEVEL
"""Leaves of a block."""

LeafHashes = Callable[[int, int], Sequence[bytes]]
"""The hashes of the leaves from one number up to another."""


class GrowingTree:
    """A tree that leaves are added to in their order, in one pass and constant memory but for the hashes of its blocks."""

    def __init__(self) -> None:
        """Without leaves."""
        self._frontier = Frontier()
        self._block = Frontier()
        self._blocks: list[bytes] = []

    @classmethod
    def going_on(cls, size: int, kept: bytes) -> "GrowingTree":
        """From what `frontier` gave of a tree of that size. ValueError: it does not fit."""
        tree = cls()
        tree._frontier = Frontier.from_bytes(size, kept)
        # What is kept of a block that is not full comes last.
        in_block = size % BLOCK_LEAVES
        tree._block = Frontier.from_bytes(in_block, kept[len(kept) - in_block.bit_count() * HASH_BYTES :])
        return tree

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._frontier.size

    @property
    def frontier(self) -> bytes:
        """What is kept to go on from (`Frontier.to_bytes`)."""
        return self._frontier.to_bytes()

    @property
    def blocks(self) -> bytes:
        """The hashes of the blocks that became full by what was added here, one after the other."""
        return b"".join(self._blocks)

    def root(self) -> bytes:
        """The root of all leaves up to now."""
        return self._frontier.root()

    def add(self, hashes: Iterable[bytes]) -> None:
        """Add leaves by their hashes (`merkle.leaf_hash`)."""
        remaining = iter(hashes)
        for each in islice(remaining, -self.size % BLOCK_LEAVES):
            self._add_one(each)
        while len(block := list(islice(remaining, BLOCK_LEAVES))) == BLOCK_LEAVES:
            root = complete_root(block)
            self._frontier.append(root, BLOCK_LEVEL)
            self._blocks.append(root)
        for each in block:
            self._add_one(each)

    def _add_one(self, added: bytes) -> None:
        self._frontier.append(added)
        self._block.append(added)
        if self._block.size == BLOCK_LEAVES:
            self._blocks.append(self._block.root())
            self._block = Frontier()


class KeptTree:
    """A tree as it was at some size, by the hashes of its full blocks; the hashes of leaves are asked for when they are needed."""

    def __init__(self, size: int, blocks: bytes, leaf_hashes: LeafHashes) -> None:
        """`blocks` are those of `GrowingTree`, from the first on; more than the tree has are left alone. ValueError: too few."""
        if len(blocks) < size // BLOCK_LEAVES * HASH_BYTES:
            raise ValueError(
                f"a tree of {size} leaves has {size // BLOCK_LEAVES} full blocks, of which some are missing"
            )
        self.size = size
        self._levels = [split_hashes(blocks[: size // BLOCK_LEAVES * HASH_BYTES])]
        self._leaf_hashes = leaf_hashes
        self._fetched: dict[int, Sequence[bytes]] = {}

    def root(self) -> bytes:
        """Its root."""
        return self._hash_of((0, self.size))

    def inclusion(self, index: int) -> list[bytes]:
        """The proof that the leaf of this number is in it, for `check_inclusion`. ValueError: there is no such leaf."""
        return [self._hash_of(each) for each in inclusion_ranges(index, self.size)]

    def consistency(self, first: int) -> list[bytes]:
        """The proof that its first `first` leaves were a tree that it goes on from, for `check_consistency`.

        ValueError: it has fewer.
        """
        return [self._hash_of(each) for each in consistency_ranges(first, self.size)]

    def _hash_of(self, leaves: LeafRange) -> bytes:
        """The root of a range of a proof: of whole blocks, and of leaves of the last one, or within one block."""
        position, end = leaves
        frontier = Frontier()
        while end - position >= BLOCK_LEAVES:
            number, count = position >> BLOCK_LEVEL, (end - position) >> BLOCK_LEVEL
            # The largest complete subtree that begins here and ends in the range.
            level = min(count, number & -number or count).bit_length() - 1
            frontier.append(self._blocks_hash(number, level), BLOCK_LEVEL + level)
            position += BLOCK_LEAVES << level
        for each in self._leaves(position, end):
            frontier.append(each)
        return frontier.root()

    def _blocks_hash(self, number: int, level: int) -> bytes:
        """The root of two to the power of `level` full blocks from this one on: of all there are, worked out once."""
        while len(self._levels) <= level:
            self._levels.append(parents(self._levels[-1]))
        return self._levels[level][number >> level]

    def _leaves(self, start: int, end: int) -> Iterator[bytes]:
        """Within one block, all of which is asked for at once: a proof takes several pieces of it."""
        if start == end:
            return iter(())
        first = start - start % BLOCK_LEAVES
        if first not in self._fetched:
            last = min(first + BLOCK_LEAVES, self.size)
            found = self._leaf_hashes(first, last)
            if len(found) != last - first:
                raise ValueError(f"of the leaves {first} to {last - 1} some are missing")
            self._fetched[first] = found
        return islice(self._fetched[first], start - first, end - first)
