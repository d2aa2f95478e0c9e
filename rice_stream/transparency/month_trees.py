"""The tree of a closed month while it is made: leaves of events in the order of their keys, and last what is asserted of them.

Beside the hashes of its blocks it is kept where each block begins, so that a leaf is found without reading those before it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from rice_stream.transparency.kept_trees import BLOCK_LEAVES, GrowingTree
from rice_stream.transparency.merkle import leaf_hash

LEAF_HASHES_MAX = 65_536
"""Of a month with so many leaves their hashes are kept as well: which one was changed can be told then, and not only its block."""
KEY_BYTES = 16
_PLACE_BYTES = KEY_BYTES + 4
NO_EVENT = bytes(KEY_BYTES)
"""In the place of the key of an event: the assertion."""


class LeafPlace(NamedTuple):
    """Where a leaf lies: the event whose it is, and how many leaves of that event come before it."""

    event_key: bytes
    number: int


class MonthTree(NamedTuple):
    """A finished tree, and what is kept of it."""

    size: int
    root_hash: bytes
    frontier: bytes
    blocks: bytes
    leaf_hashes: bytes | None
    """None: there are too many."""
    block_starts: bytes

    def root(self) -> bytes:
        """Its root."""
        return self.root_hash

    def block_start(self, number: int) -> LeafPlace:
        """Where the leaves of a block begin; the last one need not be full."""
        packed = self.block_starts[number * _PLACE_BYTES : (number + 1) * _PLACE_BYTES]
        return LeafPlace(packed[:KEY_BYTES], int.from_bytes(packed[KEY_BYTES:], "big"))

    def block_of(self, event_key: bytes) -> int:
        """The block in which the first leaf of an event lies, or the one before it where it is the first of a block."""
        low, high = 0, len(self.block_starts) // _PLACE_BYTES
        while high - low > 1:
            middle = (low + high) // 2
            start = self.block_start(middle).event_key
            if start < event_key and start != NO_EVENT:
                low = middle
            else:
                high = middle
        return low


class MonthTreeBuilder:
    """Makes it of leaves as they come, in constant memory but for what is kept."""

    def __init__(self) -> None:
        """Without leaves."""
        self._tree = GrowingTree()
        self._starts: list[bytes] = []
        self._hashes: list[bytes] | None = []
        self._next = LeafPlace(b"", 0)

    @property
    def size(self) -> int:
        """Leaves so far."""
        return self._tree.size

    def add(self, leaves: Sequence[bytes], event_keys: Sequence[bytes]) -> None:
        """Leaves that follow, each with the key of its event."""
        if not leaves:
            return
        for place in range(-self._tree.size % BLOCK_LEAVES, len(leaves), BLOCK_LEAVES):
            start = self._place(event_keys, place)
            self._starts.append(start.event_key + start.number.to_bytes(_PLACE_BYTES - KEY_BYTES, "big"))
        last = self._place(event_keys, len(leaves) - 1)
        self._next = LeafPlace(last.event_key, last.number + 1)
        hashes = list(map(leaf_hash, leaves))
        self._tree.add(hashes)
        if self._hashes is not None:
            self._hashes += hashes
            if len(self._hashes) > LEAF_HASHES_MAX:
                self._hashes = None

    def finished(self, assertion: bytes) -> MonthTree:
        """The tree, with the assertion as its last leaf."""
        self.add([assertion], [NO_EVENT])
        hashes = None if self._hashes is None else b"".join(self._hashes)
        tree = self._tree
        return MonthTree(tree.size, tree.root(), tree.frontier, tree.blocks, hashes, b"".join(self._starts))

    def _place(self, event_keys: Sequence[bytes], at: int) -> LeafPlace:
        key, first = event_keys[at], at
        while first and event_keys[first - 1] == key:
            first -= 1
        before = self._next.number if not first and self._next.event_key == key else 0
        return LeafPlace(key, at - first + before)
